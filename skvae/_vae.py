"""The estimator: a variational autoencoder behind scikit-learn's verbs."""

from functools import partial
from math import isfinite
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning, InconsistentVersionWarning
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skvae._artefact import check_keys, dump_fitted, load_fitted
from skvae._fitting.comparison import COMPARED_ROWS
from skvae._fitting.fit import ACTIVE_NATS, Listener, Printer, fit_vae
from skvae._fitting.recipe import choose_widths, make_recipe
from skvae._model.density import Density
from skvae._model.imputation import Imputation
from skvae._model.rows import Rows
from skvae._numerics.chunks import slices
from skvae._numerics.errors import whatever_numpy_raises
from skvae._numerics.threads import threads
from skvae._parameters import (
    check_count,
    check_parameters,
    make_generators,
    plain,
    resolve_random_state,
)
from skvae._table.codec import Codec, fit_codec
from skvae._table.containers import as_table
from skvae._table.entries import check_entries
from skvae._table.scaling import fit_units
from skvae._table.validation import (
    check_component_labels,
    validate_known,
    validate_new,
)
from skvae._table.values import cast
from skvae._trees.dependency_network import DependencyNetwork, no_network
from skvae._trees.growing import DRAWING, grow_network
from skvae._version import __version__
from skvae._warnings import warn

SCORE_DRAWS = 64  # of z of each row, at most, beside those of the prior
SCORE_ROWS = 256  # at a time, each of them with some draws
DRAWN_ROWS = 64  # at a time, each of them with all its draws
EXPLAINED_ENTRIES = 1_000_000  # of rows at a time, each with all its sets of columns
CHUNK_ROWS = 1024  # rows at a time through the fitted network: they stay in cache


class VAETransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Variational autoencoder for tables, with the place and the verbs of PCA.

    The model is p(x) = integral of p(x|z) p(z) over `n_components` latent dimensions.
    Given z a numeric column is normal around an MLP of z, a categorical column has
    probabilities by an MLP of z, and an encoder q(z|x) approximates the posterior
    [1]_, [2]_. Entries may be missing. Training starts at the exact solution of
    probabilistic PCA [3]_, [4]_ (or of factor analysis), which is a VAE too, and its
    result is kept only where it improves validation rows, which `fit` keeps out of the
    training. p(z) is N(0, I) in training; afterwards it is a mixture of normals fitted
    to the posteriors [7]_, if that makes the validation rows likelier. The density that
    `score` and `sample` speak of is a mixture of the network's and of that linear
    model's, see `network_weight_`: no row is much less likely than under the latter.

    Read more in ``docs/design.md``.

    Parameters
    ----------
    n_components : int or float, default=2
        Number of latent dimensions, the columns of `transform`. May exceed the number
        of columns, of rows, or the rank of `X`: components that find nothing to say
        stay empty, see `n_active_components_`, and with as many components as columns
        the linear model already loses nothing. Between 0 and 1: the fewest whose
        reconstruction explains that share of the variance of the scaled validation
        rows, see `explained_variance_ratio_`. The fit is that with this number; to find
        it takes about as long as another one or two.

    hidden_layer_sizes : sequence of int or "auto", default="auto"
        Widths of the encoder's hidden layers; the decoder has them in reverse. "auto"
        is two layers: the first is twice as wide as the table has columns, or
        24 times as it has components if that is more, but from 128 to 256 wide; the
        second is half as wide. With `n_neighbors` it is ``(256, 128)``. An empty
        sequence is the linear model: probabilistic PCA, or factor analysis with
        ``noise="diag"``, in closed form; with categorical columns it is trained. With
        `n_neighbors` it makes the decoder of the map linear, which a map bends too much
        for.

    activation : {"silu", "relu", "gelu", "tanh", "elu"}, default="silu"
        Activation of the hidden layers.

    noise : {"auto", "spherical", "diag"}, default="auto"
        Noise of p(x|z). "spherical" gives all columns one variance after scaling, as
        PCA has it, and "diag" one to each, as FactorAnalysis has it: more likelihood,
        while columns that are hard to predict count less in the reconstruction; what
        `impute` fills in is nearer. Categorical columns have no noise. "auto" has the
        best of both: it trains as "spherical", and `score` and `sample` then have one
        variance for each column, from rows that were not trained on, and one that grows
        and shrinks with z, if that makes such rows likelier. Without hidden layers it
        is "spherical", if all columns are numeric.

    scaling : {"standard", "quantile", None}, default="standard"
        "standard" centres every column and divides it by its standard deviation.
        None keeps the columns' relative scales, as PCA does. "quantile" maps every
        column to a normal distribution, as QuantileTransformer does, for columns that
        are skewed, bounded, rounded or often the same: `sample` then draws rows whose
        columns are distributed as those of `X`, and values that many rows share come
        back as such. The price is reconstruction, which then aims at ranks. Results are
        in the units of `X` either way.

    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that are categorical whatever their dtype: their names, indices, or a
        bool for each column. Columns of text, of a categorical dtype and of booleans
        are categorical in any case, so that None and "from_dtype" add none. The order
        of an ordered dtype, such as ``pd.CategoricalDtype(ordered=True)`` and polars'
        ``Enum``, is used; other categories have none. Of a column with more than 30 of
        these the rare ones, if several, are pooled: those that fewer than 5 rows have,
        and all but the 255 most frequent. The network has one column for all of the
        pool, and each has its share of it, see Notes. Of more than 255 ordered
        categories neighbours are joined, to 255 groups at most.

    beta : float, default=1.0
        Weight of the KL divergence in the loss [5]_. 1 is the VAE. More favours few,
        independent components over reconstruction. 0 switches off the draws of z too,
        which makes a plain autoencoder: it reconstructs, but nothing keeps its codes
        near the prior, so that `sample` and `score` lose their meaning.

    alpha : float, default=0.01
        Strength of the decoupled weight decay of the MLPs' weights [6]_. Much more,
        such as 3, keeps the network nearer to the linear model it starts from: less
        comes back, and a linear model of the components does better.

    batch_size : int or "auto", default="auto"
        Rows a gradient step. "auto" is a twelfth of the training rows, but at least
        16 and at most 256.

    learning_rate_init : float, default=4e-3
        Learning rate of AdamW, after a warm-up of 100 steps.

    max_iter : int or "auto", default="auto"
        Most epochs, passes over the training rows, not counting those in which the
        validation rows join. "auto" is 500, and less on a table of more than 8,000
        rows: as many as visit four million, which takes about half a minute with 50
        columns.

    early_stopping : bool, default=True
        Whether to keep `validation_fraction` of the rows out of the training, to stop
        once their score improves no more, and to keep the weights that suited them
        best; the starting solution is a candidate. The validation rows then join the
        training, for .4 times the epochs that had helped. If False, all rows train for
        `max_iter` epochs and the last (averaged) weights are kept. The noise variance
        still comes from rows that were not trained on: from a first fit, as long, that
        leaves `validation_fraction` of them out. So it takes twice the time, and
        nothing shows that the result is better than PCA.

    validation_fraction : float, default=0.1
        Share of the rows that validate: at least three rows, as fewer say nothing.

    n_iter_no_change : int, default=15
        Epochs in which the validation score has to gain `tol`, or training stops,
        counted from when the KL has its full weight. At least 200 steps, which on a
        small table are more epochs.

    tol : float, default=0.01
        Least gain of the validation score in `n_iter_no_change` epochs, in nats a row.

    warm_start : bool, default=False
        Whether `fit` continues from the weights of the last `fit`, if the columns and
        the architecture are the same; from its scaling too, but for quantiles and
        tables with categorical columns, whose shares are those of the new rows. The
        validation score is then too high if that `fit` trained on rows that validate
        now.

    random_state : int, RandomState instance or None, default=None
        Of the validation rows, the initial hidden weights, the batches and the draws.
        An int gives the same result, to the bit, for the same `n_jobs`. None takes
        fresh entropy from the operating system; numpy's global generator is used only
        if it is given, as ``np.random``.

    device : str, default="cpu"
        Where training runs, in torch's words, such as "cuda". A fitted estimator is
        on the CPU.

    n_neighbors : int, optional
        If given, the model is a map of this many neighbours, such as 15, as of UMAP and
        t-SNE: rows that are near each other in the table are near each other in z. That
        is the picture to look for groups in, and usually more comes back of two
        components. The layout is stochastic t-SNE's [8]_ of all rows, or of 20,000 at
        random, which the estimator then keeps. `transform` looks a new row up among the
        8 nearest of them and moves it a little to where more of it comes back, see
        Notes; a row of the layout finds itself, so that `fit_transform` is
        nearly the layout: half of the rows are within a tenth of its scale of their
        place, and none is further than about .3 along a component.
        Far groups' distances mean little, as on any such map. `max_iter` bounds the
        steps of the layout; `early_stopping`, `alpha`, `beta`, `batch_size`,
        `learning_rate_init` and others of training have no effect, and `n_components`
        is a number.

    redraw : bool, default=False
        Whether what `sample` and `impute` draw is drawn once more, column after column,
        from training rows that trees find alike in the other columns [10]_. Of tables
        with steps, bounds or columns that follow from others, a classifier then tells
        far fewer of the rows drawn with ``scaling="quantile"`` from real ones; of some
        hundred rows of smooth columns it tells more. Intervals of draws hold about what
        they say. `score` and all else stay as they are. `fit` takes longer, and the
        estimator keeps rows of `X`: all, or so many that they have about 300,000
        entries, but 500 at least. See Notes.

    n_jobs : int or None, default=None
        Number of threads: of products while fitting, and of chunks of rows in the
        verbs of a fitted estimator. None means 1 unless in a `joblib.parallel_config`,
        -1 means one for each processor. A fit's last digits depend on the number, and
        so may the epoch at which it stops; those of the verbs do not. Beside a search
        that takes all processors, or other work that does, leave it at None: threads
        of one product wait for each other.

    verbose : bool or int, default=False
        Whether to print a line for each phase of `fit` and for each epoch, with the
        seconds since its start, and in the end why training stopped and what is kept.
        Any number above 0 means True.

    Attributes
    ----------
    n_components_ : int
        Number of latent dimensions; found by `fit` where `n_components` is a share.

    n_features_in_ : int
        Number of columns seen by `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if `X` had names that are all strings.

    mean_, scale_ : ndarray of shape (n_features_in_,)
        What columns are centred at and divided by, in the units of `X`; a datetime
        column counts its ticks (days, seconds, ...) since the first. With
        ``scaling="quantile"`` their means and standard deviations. NaN for categorical
        columns.

    noise_variance_ : ndarray of shape (n_features_in_,)
        Variance of each column given z under the network, in its squared units, about
        the average over rows where it varies with z; with ``scaling="quantile"`` of its
        normal scores, whose variance is 1. NaN for categorical columns.

    component_kl_ : ndarray of shape (n_components_,)
        Nats that each component carries: the mean of KL(q(z_i|x) || N(0, 1)) over the
        training rows. Components are ordered by it, largest first, and signed such
        that the column they covary with most, in absolute value, grows with them.

    explained_variance_ratio_ : ndarray of shape (n_components_,)
        By how much each component raises the share of variance that the reconstruction
        explains, while the later ones are held at their means; an entry may be
        negative. The sum is the share that all explain together: what a share as
        `n_components` asks for. Where PCA's is of the rows that it was fitted to, this
        is of the validation rows, as the model scales them (categorical columns as
        indicators), before they join the training; without early stopping or without
        hidden layers it is of a first fit without them. Components count in the order
        of what they carried then.

    network_weight_ : float
        Weight, between 0 and 1, of the network's density in the model that `score` and
        `sample` speak of, chosen by validation rows. The rest is the density of the
        linear model of all rows, PCA or factor analysis (with categorical columns, what
        training started from): a row that the network finds far less likely costs the
        logarithm of that rest, and no more. Where the linear model is all there is, the
        weight of its copy with the noise `noise_variance_`, measured on rows left out,
        and perhaps a prior and a dispersion of its own; the other has the noise of the
        training rows.

    n_active_components_ : int
        Number of components that carry more than 0.01 nats.

    n_iter_ : int
        Number of epochs; 1 where ``hidden_layer_sizes=()`` needs none.

    best_iter_ : int
        Epoch whose weights were kept, and with early stopping trained on once the
        validation rows had joined; 0 is the closed-form linear solution.

    loss_curve_ : list of float
        Mean negative ELBO of the batches of each epoch, at the noise of its end, nats
        a row. Rises while the weight of the KL divergence is warmed up.

    validation_scores_ : list of float or None
        ELBO of the validation rows, within the range of the others, at their own best
        noise, after each epoch, nats a row. None without early stopping.

    best_validation_score_ : float or None
        The best of them, or that of the starting solution if nothing was better.

    See Also
    --------
    sklearn.decomposition.PCA : The linear model with spherical noise.
    sklearn.decomposition.FactorAnalysis : The linear model with noise by column.

    Notes
    -----
    `transform` gives the mean of q(z|x). That mean is shrunk towards 0 by the prior,
    so `inverse_transform` adds to the decoder's mean a linear read-out, fitted by least
    squares, of what the decoder leaves of the training rows; with the linear model
    the two together are PCA's reconstruction [3]_. `sample` and `score` use the decoder
    alone.

    The probability of a pooled category is that of the pool, times its share of the
    pool's rows in `fit`. So all categories are scored, sampled and drawn by `impute`,
    and the most probable one is a pooled one only where it is more probable than each
    other category. A category that `fit` did not see counts as one of the pool, with
    the share that a single further row would have; in a column without a pool it is
    missing. Time and memory grow with the number of network columns: one for each
    numeric column, and 256 at most for a categorical one.

    With `n_neighbors` the table's rows, scaled and without gaps as the encoder sees
    them, are laid out such that the 15 nearest of each row stay near. A new row's place
    is the Cauchy location of its 8 nearest rows' places, weighted by inverse squared
    distances: it joins a group, where a mean would put it between groups. The decoder
    is a ridge regression of the columns on random features [9]_ of z, whose hidden
    layers have `hidden_layer_sizes` in reverse and stay as they were drawn. A
    Gauss-Newton step of the posterior around the place, as if that had a standard
    deviation of .05, ends at the mean of q(z|x); its variances are Laplace's. While
    fitting each row is placed by the others only. So nothing is trained by gradients,
    and all verbs say what they say of a network.

    With `redraw` a column's ten trees, of at least ten rows a leaf, are grown on the
    other columns. What the model draws is the start of one round of Gibbs sampling in
    this dependency network [10]_: each column of a row in turn becomes that of a random
    training row in the same leaf of a random one of its trees, of which each sees the
    30 columns most related to its own. So an entry that is drawn is one that a training
    row had. Rules that hold in all rows of `X`, such as that one column is no larger
    than another, hold in most drawn rows only, with `redraw` or without, and equations,
    such as sums, hold roughly. What is drawn with it is no longer what `score` tells
    the density of.

    References
    ----------
    .. [1] Kingma & Welling (2013). Auto-Encoding Variational Bayes. arXiv:1312.6114.
    .. [2] Rezende, Mohamed & Wierstra (2014). Stochastic Backpropagation and
       Approximate Inference in Deep Generative Models. arXiv:1401.4082.
    .. [3] Tipping & Bishop (1999). Probabilistic Principal Component Analysis.
       Journal of the Royal Statistical Society B 61(3).
    .. [4] Lucas, Tucker, Grosse & Norouzi (2019). Don't Blame the ELBO! A Linear VAE
       Perspective on Posterior Collapse. arXiv:1911.02469.
    .. [5] Higgins et al. (2017). beta-VAE. ICLR.
    .. [6] Loshchilov & Hutter (2019). Decoupled Weight Decay Regularization.
       arXiv:1711.05101.
    .. [7] Dai & Wipf (2019). Diagnosing and Enhancing VAE Models. arXiv:1903.05789.
    .. [8] van der Maaten & Hinton (2008). Visualizing Data using t-SNE. Journal of
       Machine Learning Research 9.
    .. [9] Rahimi & Recht (2007). Random Features for Large-Scale Kernel Machines. NIPS.
    .. [10] Heckerman, Chickering, Meek, Rounthwaite & Kadie (2000). Dependency Networks
       for Inference, Collaborative Filtering, and Data Visualization. Journal of
       Machine Learning Research 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> X = load_iris().data
    >>> vae = VAETransformer(n_components=2, random_state=0).fit(X)
    >>> Z = vae.transform(X)
    >>> Z.shape
    (150, 2)
    >>> vae.inverse_transform(Z).shape
    (150, 4)
    >>> vae.sample(3, random_state=0).shape
    (3, 4)
    """

    # Where the documentation is: in the docstrings of this file. With a link, the HTML
    # of scikit-learn also shows what they say of each parameter.
    _doc_link_module = "skvae"
    _doc_link_template = Path(__file__).as_uri()

    _codec: Codec  # between the table and scaled rows
    _density: Density  # of scaled rows
    _network: DependencyNetwork  # that draws each column once more
    _fitted_shape: dict  # parameters of the fit that a warm start must share

    def __init__(
        self,
        n_components=2,
        *,
        hidden_layer_sizes="auto",
        activation="silu",
        noise="auto",
        scaling="standard",
        categorical_features="from_dtype",
        beta=1.0,
        alpha=0.01,
        batch_size="auto",
        learning_rate_init=4e-3,
        max_iter="auto",
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=15,
        tol=0.01,
        warm_start=False,
        random_state=None,
        device="cpu",
        n_neighbors=None,
        redraw=False,
        n_jobs=None,
        verbose=False,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.noise = noise
        self.scaling = scaling
        self.categorical_features = categorical_features
        self.beta = beta
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.device = device
        self.n_neighbors = n_neighbors
        self.redraw = redraw
        self.n_jobs = n_jobs
        self.verbose = verbose

    @whatever_numpy_raises
    def fit(self, X, y=None):
        """Fit the model to the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A DataFrame of pandas or polars, or an array. Columns of numbers, datetimes
            and timedeltas are modelled as numeric; columns of text, of a categorical
            dtype, of booleans, and those that `categorical_features` names, as
            categorical. NaN, None, NA or NaT, or masked, where an entry is missing, but
            not in all of a column.

        y : object, default=None
            Ignored, whatever it is.

        Returns
        -------
        self : VAETransformer
            The fitted estimator. If fitting fails it is as it was before.

        Raises
        ------
        ValueError
            If a parameter or an entry of X is outside its domain, or columns cannot be
            modelled, such as those without a value; the error names each.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` epochs, where it is a number, ended before the validation
            score stopped improving, if the loss became infinite or NaN, or if `fit`
            was interrupted (Ctrl-C) after training had begun. The best model so far is
            kept, without what further training would bring. A second interrupt ends
            `fit` at once, with a KeyboardInterrupt, and so does one before training or
            while the trees of `redraw` grow.

        UserWarning
            If no component is active, see `n_active_components_`. If all values of a
            categorical column are rare, such as names: it then tells nothing of the
            other columns.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> VAETransformer(random_state=0).fit(load_iris().data).n_features_in_
        4
        """
        before = self.__dict__.copy()
        try:
            solution = self._fit(X)
        except BaseException:
            self.__dict__ = before
            raise
        try:  # an interrupt from here on comes too late to lose what is fitted
            self._warn_of(solution)
        except Warning:  # that a filter makes an error, by which fitting fails
            self.__dict__ = before
            raise
        return self

    @whatever_numpy_raises
    def transform(self, X):
        """Encode rows as the means of their posteriors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw, in the units that they had there. NaN,
            None, NA or NaT where an entry is missing. A category that `fit` did not see
            counts as one of the rare ones where these are pooled, else as missing, and
            is warned of.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            In units of the prior's standard deviation, and in the float dtype of X. No
            row depends on the rows beside it.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            If X has other columns than `fit` saw, or an entry that is infinite or too
            large; the error names it.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris().data
        >>> vae = VAETransformer(1, hidden_layer_sizes=()).fit(X)
        >>> vae.transform(X[[0, -1]]).round(1)
        array([[-1.2],
               [ 0.5]])
        """
        X = self._validate(X)
        return self._map_rows(lambda X: self._encode(X)[0].numpy(), X, X.dtype)

    @whatever_numpy_raises
    def posterior(self, X):
        """Encode rows as the mean and standard deviation of their posteriors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw, in the units that they had there. NaN,
            None, NA or NaT where an entry is missing. A category that `fit` did not see
            counts as one of the rare ones where these are pooled, else as missing, and
            is warned of.

        Returns
        -------
        mean, std : ndarray of shape (n_samples, n_components)
            Of q(z|x), which is normal and independent across components. `mean` is
            what `transform` returns; where `std` is near 1, the row says nothing of
            the component.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            If X has other columns than `fit` saw, or an entry that is infinite or too
            large; the error names it.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris().data
        >>> vae = VAETransformer(1, hidden_layer_sizes=()).fit(X)
        >>> mean, std = vae.posterior(X)
        >>> std[0].round(1)
        array([0.4])
        """

        def mean_and_std(X):
            mean, log_var = self._encode(X)
            return torch.stack([mean, (0.5 * log_var).exp()], dim=1).numpy()

        X = self._validate(X)
        both = self._map_rows(mean_and_std, X, X.dtype)
        return np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])

    @whatever_numpy_raises
    def inverse_transform(self, X):
        """Decode latent rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Latent rows, such as `transform` returns.

        Returns
        -------
        X_original : table of shape (n_samples, n_features)
            Reconstructed rows: the container, the columns and the dtypes that `fit`
            saw. A DataFrame of pandas has the index of X, and if X is an array, which
            has none, is numbered from 0: see the example, or `reconstruct`. A
            categorical column has its most probable category, or the median if its
            categories have an order. An array of floats has the float dtype of X.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            If X has not `n_components_` columns, or these have the names of the
            components in another order, or an entry is not finite.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> vae = VAETransformer(1, hidden_layer_sizes=()).fit(load_iris().data)
        >>> vae.inverse_transform([[-1.0], [1.0]]).round(1)
        array([[5.1, 3.3, 1.9, 0.4],
               [6.6, 2.8, 5.6, 2. ]])

        Codes in an array have lost the index of their rows; in a DataFrame they keep
        it.

        >>> X = load_iris(as_frame=True).data.iloc[100:102]
        >>> vae = vae.fit(X)
        >>> vae.inverse_transform(vae.transform(X)).index.tolist()
        [0, 1]
        >>> vae = vae.set_output(transform="pandas")
        >>> vae.inverse_transform(vae.transform(X)).index.tolist()
        [100, 101]
        """
        check_is_fitted(self)
        return self._decode(self._validate_latent(X), _index(X))

    @whatever_numpy_raises
    def reconstruct(self, X):
        """Encode rows and decode them again.

        The same, to the bit, as `inverse_transform` of what `transform` returns, but
        for the index: that of X is kept, so that ``X - vae.reconstruct(X)`` pairs each
        row with itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw, in the units that they had there. NaN,
            None, NA or NaT where an entry is missing. A category that `fit` did not see
            counts as one of the rare ones where these are pooled, else as missing, and
            is warned of.

        Returns
        -------
        X_reconstructed : table of shape (n_samples, n_features)
            The container, the columns and the dtypes that `fit` saw, as from
            `inverse_transform`; a DataFrame of pandas has the index of X, if that is
            one too. Every entry is what the model makes of its row: no observed entry
            is as it was, and missing ones are filled in. (`impute` keeps the former,
            and the latter are nearer.) No row depends on the rows beside it.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            If X has other columns than `fit` saw, or an entry that is infinite or too
            large; the error names it.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris(as_frame=True).data.iloc[::-1]
        >>> vae = VAETransformer(1, hidden_layer_sizes=()).fit(X)
        >>> X_reconstructed = vae.reconstruct(X)
        >>> X_reconstructed.index.equals(X.index)
        True
        >>> round(float((X - X_reconstructed).abs().to_numpy().mean()), 2)
        0.24
        """
        codes = self._validate(X)
        Z = self._map_rows(lambda X: self._encode(X)[0], codes, codes.dtype)
        return self._decode(Z, _index(X))

    @whatever_numpy_raises
    def sample(self, n_samples=1, random_state=None, given=None):
        """Draw new rows from the model, observation noise included.

        From the network, with probability `network_weight_`, its z from the mixture
        fitted to the posteriors; else from the linear model. Categories are as frequent
        as in the `X` of `fit`. Given z every numeric column is normal, and so without
        bounds; its mean and standard deviation are about those of `X`. With
        ``scaling="quantile"`` every column is distributed as in `X`: its quantiles, and
        the shares of values that many rows have, are those of the observed entries
        there, it is rounded as they were, and keeps to their range.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        random_state : int, RandomState instance or None, default=None
            An int gives the same rows each time.

        given : DataFrame or dict, default=None
            What is known of the rows: some of the columns that `fit` saw, by their
            names, or by their numbers where it saw an array. `n_samples` rows are drawn
            for each row of it, one after the other, the other columns, and entries that
            are missing, as they may be given what is known. A dict of single values is
            one row.

        Returns
        -------
        X : table of shape (n_samples, n_features)
            The container, the columns and the dtypes that `fit` saw; `n_samples` times
            as many rows as `given` has, if it is there.

        Raises
        ------
        NotFittedError
            Before `fit`.

        TypeError, ValueError
            If `n_samples` is not an integer of at least 1; if `given` is no DataFrame
            or dict, or has other columns than `fit` saw, or categories that it did not
            see.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> vae = VAETransformer(random_state=0).fit(load_iris().data)
        >>> vae.sample(5, random_state=0).shape
        (5, 4)

        Flowers whose petals are 5 cm long and 2 cm wide:

        >>> flowers = vae.sample(100, random_state=0, given={2: 5.0, 3: 2.0})
        >>> flowers.mean(axis=0).round(0)
        array([6., 3., 5., 2.])
        """
        check_is_fitted(self)
        n_samples = check_count("n_samples", n_samples)
        schema = self._codec.schema
        if given is not None:
            known = schema.to_known_codes(given)
            self._codec.check(known)
            drawn = self._completed(known, n_samples, random_state)
            return schema.to_table(drawn.reshape(-1, known.shape[1]))
        generator_at = make_generators(random_state)

        def draw(rows):
            generator = generator_at(rows.start)
            drawn = self._density.sample(len(rows), generator)
            codes = self._drawn_codes(drawn, generator)
            is_free = np.ones(codes.shape, dtype=bool)
            return self._network.draw(codes, is_free, partial(_uniform, generator))

        return schema.to_table(self._map_rows(draw, range(n_samples), np.float64))

    @whatever_numpy_raises
    def impute(self, X, n_draws=None, random_state=None):
        """Fill in missing entries.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw. Missing entries are NaN, None, NA or
            NaT, or masked.

        n_draws : int, default=None
            If given, so many tables are completed, each with a draw from what its
            rows may be given their observed entries, for multiple imputation [1]_.

        random_state : int, RandomState instance or None, default=None
            Of the draws; without `n_draws` there are none.

        Returns
        -------
        X_full : table like X, or list of `n_draws` of them
            Each missing entry has its expected value given the observed entries of its
            row, or its most probable category (the median if they have an order);
            integers are rounded. By draws from the posterior, weighted by importance
            [2]_, or exactly, where all columns are numeric and the model is linear.
            Observed entries are as they were, to the bit; a column without any has the
            dtype of `fit` if its own cannot hold the values. Without `n_draws` equal
            rows are completed alike, whatever the other rows. ``noise="diag"`` fills in
            nearest, ``hidden_layer_sizes=()`` fastest.

        Raises
        ------
        NotFittedError
            Before `fit`.

        TypeError, ValueError
            If `n_draws` is not an integer of at least 1; if X has other columns than
            `fit` saw, or an entry that is infinite or too large.

        References
        ----------
        .. [1] Rubin (1987). Multiple Imputation for Nonresponse in Surveys. Wiley.
        .. [2] Mattei & Frellsen (2019). MIWAE: Deep Generative Modelling and
           Imputation of Incomplete Data Sets. ICML. arXiv:1812.02633.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris().data
        >>> vae = VAETransformer(1, hidden_layer_sizes=()).fit(X)
        >>> vae.impute([[5.1, np.nan, 1.4, 0.2]]).round(1)
        array([[5.1, 3.3, 1.4, 0.2]])
        """
        check_is_fitted(self)
        if n_draws is not None:
            n_draws = check_count("n_draws", n_draws)
        X = as_table(X)
        codes = self._validate(X)
        completed = self._completed(codes, n_draws, random_state)
        tables = [self._codec.schema.fill(X, of) for of in completed.swapaxes(0, 1)]
        return tables[0] if n_draws is None else tables

    @whatever_numpy_raises
    def score_samples(self, X):
        """Bound the log-density of rows from below.

        The importance-weighted bound [1]_ on log p(x), with fixed draws that all rows
        share: it is deterministic and no row depends on its neighbours. The part of
        p(x) that is the linear model's, see `network_weight_`, is exact, unless there
        are categorical columns, or ``scaling="quantile"`` found values that many rows
        share.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw, in the units that they had there. NaN,
            None, NA or NaT where an entry is missing. A category that `fit` did not see
            counts as one of the rare ones where these are pooled, else as missing, and
            is warned of.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            In nats, in float64: of the density of the numeric columns (integers and
            datetimes too) in their own units, times the probability of the categories,
            and of what is observed of a row: fewer entries, fewer factors. Low for a
            row unlike those of `fit`. With ``scaling="quantile"`` a value that many
            rows share has a probability, here spread evenly over the values nearer to
            it than to any other of its column.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            If X has other columns than `fit` saw, or an entry that is infinite or too
            large; the error names it.

        References
        ----------
        .. [1] Burda, Grosse & Salakhutdinov (2016). Importance Weighted Autoencoders.
           arXiv:1509.00519.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris().data
        >>> vae = VAETransformer(1, hidden_layer_sizes=()).fit(X)
        >>> vae.score_samples(X[:2]).round(1)
        array([-3.2, -3.4])
        """
        return self._log_density(self._validate(X))

    @whatever_numpy_raises
    def explain(self, X, n_orders=8):
        """Share the log-density of rows out among their columns.

        Shapley values [1]_ of the log-density: what a column adds to that of the
        columns before it, the mean over orders of the columns. So an entry counts that
        is unlikely by itself, and one that is unlikely beside the others of its row
        [2]_. The lower a share, the more the column makes of a row an outlier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw; entries may be missing.

        n_orders : int, default=8
            Number of orders: fixed ones, each followed by its reverse. More are more
            precise, and take longer: each scores a row once for every column.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_features)
            In nats, and 0 where an entry is missing. Numeric columns count in units of
            `scale_`, by which a share does not depend on the column's unit: a row's
            shares add up to its `score_samples` plus the logarithms of the `scale_` of
            the numeric columns that are observed.

        Raises
        ------
        NotFittedError
            Before `fit`.

        TypeError, ValueError
            If `n_orders` is not an integer of at least 1; if X has other columns than
            `fit` saw, or an entry that is infinite or too large.

        References
        ----------
        .. [1] Shapley (1953). A Value for n-Person Games. Contributions to the Theory
           of Games 2.
        .. [2] Takeishi & Kawahara (2020). On Anomaly Interpretation via Shapley Values.
           arXiv:2004.04464.

        Examples
        --------
        A flower with the petals of one species, and the width of another's:

        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris().data
        >>> vae = VAETransformer(1, hidden_layer_sizes=()).fit(X)
        >>> int(vae.explain([[5.1, 3.5, 1.4, 2.2]]).argmin())
        3
        """
        check_is_fitted(self)
        n_orders = check_count("n_orders", n_orders)
        codes = self._validate(X).astype(np.float64)
        n_at_a_time = max(EXPLAINED_ENTRIES // codes.shape[1] ** 2, 1)
        shares = np.zeros_like(codes)
        for rows in slices(len(codes), n_at_a_time):
            for order in _orders(n_orders, codes.shape[1]):
                shares[rows, order] += self._added(codes[rows], order) / n_orders
        units = np.where(self._codec.is_numeric, self.scale_, 1.0)
        return np.where(np.isnan(codes), 0.0, shares + np.log(units))

    def _added(self, codes, order):  # (n, d), (d,) -> (n, d)
        """Return what each column adds to the log-density of those before it."""
        n, d = codes.shape
        place = np.argsort(order)
        is_known = place <= np.arange(d)[:, None, None]  # (d, 1, d): of the first ones
        known = np.where(is_known, codes, np.nan).reshape(d * n, d)
        log_density = self._log_density(known)
        log_density[np.isnan(known).all(axis=1)] = 0.0
        return np.diff(log_density.reshape(d, n).T, axis=1, prepend=0.0)

    def _log_density(self, codes):  # (n, d) -> (n,)
        """Return the log-density of rows, in nats and in the table's units."""

        def log_density(codes):
            rows = _rows(self._codec, codes)
            of_scaled = self._density.log_density(rows, SCORE_DRAWS)
            return of_scaled.numpy() + self._codec.log_slope(codes)

        return self._map_rows(log_density, codes, np.float64, SCORE_ROWS)

    def score(self, X, y=None):
        """Return the mean of `score_samples`.

        It stands beside the `score` of PCA and of FactorAnalysis, and searches over
        parameters use it where they are given no other.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns that `fit` saw, in the units that they had there.

        y : object, default=None
            Ignored.

        Returns
        -------
        log_likelihood : float
            In nats a row; more is better.

        Raises
        ------
        NotFittedError
            Before `fit`.

        ValueError
            If X has other columns than `fit` saw, or an entry that is infinite or too
            large; the error names it.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> X = load_iris().data
        >>> vae = VAETransformer(1, hidden_layer_sizes=()).fit(X)
        >>> round(vae.score(X), 1)
        -3.9
        """
        return float(np.mean(self.score_samples(X)))

    # ---------------------------------------------------------------- fitting

    def _fit(self, X):
        """Fit, and set the fitted attributes; return what the fit found."""
        parameters = self.get_params(deep=False)
        check_parameters(parameters)
        parameters = {name: plain(value) for name, value in parameters.items()}
        may_be_warm = self.warm_start and hasattr(self, "_fitted_shape")
        may_be_warm = may_be_warm and self._fitted_shape == self._shape()
        before = self._codec if may_be_warm else None
        codes, schema = validate_new(self, X, before)
        warm = may_be_warm and schema is self._codec.schema
        # Quantiles and the shares of categories are those of the rows at hand.
        scaling = parameters["scaling"]
        keeps_codec = warm and scaling != "quantile" and not schema.n_categories.any()
        codec = self._codec if keeps_codec else fit_codec(codes, schema, scaling)
        if keeps_codec:
            codec.check(codes)
        log_slope = float(self._map_rows(codec.log_slope, codes, np.float64).mean())
        random_state = resolve_random_state(self.random_state)
        seed = random_state.randint(2**31 - 1)
        order = random_state.permutation(len(codes))
        x = torch.from_numpy(codec.scaled(codes, np.float32, order))
        first_rows = x[:COMPARED_ROWS].double()
        first_rows = _rows(codec, codes[order[:COMPARED_ROWS]], first_rows.numpy())
        listener = Printer(log_slope) if self.verbose else Listener()
        n_components = self.n_components_ if warm else parameters["n_components"]
        share = n_components if n_components < 1 else None
        units = fit_units(codec.scale, scaling, codec.layout)
        recipe = make_recipe(
            parameters,
            len(x),
            1 if share else n_components,
            layout=codec.layout,
            seed=seed,
            listener=listener,
            units=torch.from_numpy(units),
        )
        density = self._density if warm else None
        solution = fit_vae(x, first_rows, recipe, density, share)
        self._codec = codec
        self._remember(solution, log_slope)
        self._fitted_shape = self._shape()
        self._network = no_network(codec)
        if parameters["redraw"]:
            listener.phase("Growing trees")
            self._network = self._grow(codes, DRAWING, seed, n_draws=1)
        return solution

    def _grow(self, codes, growth, seed, n_draws=None):
        """Return trees of the columns, whose gaps are expected, or drawn once."""

        def complete(codes):
            return self._completed(codes, n_draws, seed)[:, 0]

        return grow_network(self._codec, codes, complete, growth, seed, self.n_jobs)

    def _shape(self):
        """Return the parameters that must be the same for a warm start.

        Of an estimator that is fitted.
        """
        size = self._codec.layout.n_features, self.n_components_
        is_map = self.n_neighbors is not None
        return {
            "n_components": plain(self.n_components),
            "hidden_layer_sizes": choose_widths(self.hidden_layer_sizes, *size, is_map),
            "activation": plain(self.activation),
            "scaling": plain(self.scaling),
            "n_neighbors": plain(self.n_neighbors),
        }

    def _remember(self, solution, log_slope):
        """Set the fitted attributes: arrays and plain values, in the user's units."""
        codec, progress = self._codec, solution.progress
        self._density, component_kl = solution.density, solution.component_kl.numpy()
        self.mean_, self.scale_ = codec.mean, codec.scale
        self.n_components_ = self._n_features_out = len(component_kl)
        variance = np.full(len(codec.is_numeric), np.nan)
        variance[codec.is_numeric] = self._density.parts[0].likelihood.variance
        is_scaled = codec.marginals is None
        self.noise_variance_ = variance * codec.scale**2 if is_scaled else variance
        self.network_weight_ = self._density.weights[0]
        self.component_kl_ = component_kl
        self.explained_variance_ratio_ = solution.explained
        self.n_active_components_ = solution.n_active
        self.n_iter_ = progress.n_epochs
        self.best_iter_ = progress.best_epoch
        self.loss_curve_ = [loss - log_slope for loss in progress.loss_curve]
        self.validation_scores_ = self.best_validation_score_ = None
        if isfinite(progress.start_score):
            scores = progress.validation_scores
            self.validation_scores_ = [score + log_slope for score in scores]
            self.best_validation_score_ = progress.best_score + log_slope

    def _warn_of(self, solution):
        """Warn at most once, of the gravest."""
        category = ConvergenceWarning
        if solution.progress.stopped == "diverged":
            message = (
                f"The loss became infinite or NaN with learning_rate_init="
                f"{self.learning_rate_init!r}, and again at a tenth of it: the best "
                f"finite model, of epoch {self.best_iter_}, is kept. Lower "
                "learning_rate_init, or a large alpha."
            )
        elif solution.progress.stopped == "interrupted":
            kept = f"the best model so far, of epoch {self.best_iter_},"
            if solution.is_map:
                kept = "the map so far"
            message = (
                f"fit was interrupted after {'step' if solution.is_map else 'epoch'} "
                f"{self.n_iter_}: {kept} is kept. A second interrupt ends fit at once, "
                "and leaves the estimator as it was."
            )
        elif not self.n_active_components_:
            category = UserWarning
            remedy = "The columns may have nothing in common, or the rows be too few."
            if self.beta > 1 and not solution.is_map:
                remedy = f"Lower beta={self.beta!r}; 1 is the VAE."
            message = (
                f"No component carries more than {ACTIVE_NATS} nats: every row is "
                f"encoded alike. {remedy}"
            )
        elif (
            solution.progress.stopped == "max_epochs"
            and (solution.is_map or self.early_stopping)
            and self.max_iter != "auto"
        ):
            message = self._say_what_ended(solution.is_map)
        else:
            return
        warn(message, category)

    def _say_what_ended(self, is_map):
        """Return what `max_iter` ended too early."""
        if is_map:
            return (
                f"max_iter={self.max_iter} steps ended before the layout of the map "
                "hardly changed. Raise max_iter."
            )
        return (
            f"max_iter={self.max_iter} epochs ended before the validation score "
            f"stopped improving for n_iter_no_change={self.n_iter_no_change} "
            "epochs. Raise max_iter, or tol."
        )

    # ------------------------------------------------------------- using the model

    def _validate(self, X):
        """Check X and return its codes, an array of floats."""
        check_is_fitted(self)
        return validate_known(self, X, self._codec)

    def _validate_latent(self, X):
        X = as_table(X)
        check_component_labels(X, self.get_feature_names_out())
        if isinstance(X, np.ma.MaskedArray):
            X = np.ma.filled(X.astype(np.float64), np.nan)
        try:
            Z = check_array(
                X,
                dtype=[np.float64, np.float32],
                ensure_all_finite=False,
                estimator=self,
                input_name="X",
            )
        except (ValueError, TypeError, OverflowError, NotImplementedError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            rule = "X must be a table of numbers, such as transform returns."
            raise kind(f"{rule} {error}") from error
        if Z.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {Z.shape[1]} columns, but inverse_transform of this "
                f"VAETransformer takes the n_components_={self.n_components_} columns "
                "that transform gives."
            )
        check_entries(Z, [f"component {i}" for i in range(Z.shape[1])])
        return Z

    def _decode(self, Z, index):
        """Return the table that latent rows stand for."""
        schema = self._codec.schema
        dtype = Z.dtype if schema.is_of_floats else np.dtype(np.float64)

        def decode(Z):
            z = torch.from_numpy(np.array(Z, np.float64, order="C"))
            return cast(
                self._codec.unscaled(self._density.reconstruct(z).numpy()), dtype
            )

        return schema.to_table(self._map_rows(decode, Z, dtype), index, Z.dtype)

    def _encode(self, codes):
        return self._density.encode(torch.from_numpy(self._codec.scaled(codes)))

    def _completed(self, codes, n_draws=None, random_state=None):
        """Return rows' codes without gaps, (n, n_draws, d): expected ones, or draws."""
        out = np.repeat(codes[:, None].astype(np.float64), n_draws or 1, axis=1)
        incomplete = np.flatnonzero(np.isnan(codes).any(axis=1))
        # Of scores the mean is not that of their values.
        to_numbers = self._codec.numbers if self._codec.marginals else None
        imputation = Imputation(self._density, to_numbers)
        if n_draws is None:
            complete, n_rows = partial(self._expect, imputation), SCORE_ROWS
        else:
            n_rows = DRAWN_ROWS
            generator_at = make_generators(random_state)
            complete = partial(self._draw_given, imputation, n_draws, generator_at)

        def complete_some(rows):  # (n,) -> (n, n_draws, d)
            return complete(codes[incomplete[rows]], rows.start)

        if len(incomplete):
            rows = range(len(incomplete))
            out[incomplete] = self._map_rows(complete_some, rows, np.float64, n_rows)
        return out

    def _impute(self, X, network):
        """Fill in what the trees of a network make of missing entries."""
        codes = self._validate(X)
        is_free = np.isnan(codes)
        full = self._completed(codes)[:, 0]
        rows = np.flatnonzero(is_free.any(axis=1))
        if len(rows):

            def expect(rows):
                return network.expect(full[rows], is_free[rows])

            full[rows] = self._map_rows(expect, rows, np.float64)
        return self._codec.schema.fill(X, full)

    def _expect(self, imputation, codes, first):
        """Return the expected rows given what is observed of them, as codes, once."""
        expected = imputation.expected(_rows(self._codec, codes)).numpy()
        to_codes = (
            self._codec.averaged if self._codec.marginals else self._codec.unscaled
        )
        return np.where(np.isnan(codes), to_codes(expected), codes)[:, None]

    def _draw_given(self, imputation, n, generator_at, codes, first):
        """Draw rows n times given what is observed of them, as codes."""
        generator = generator_at(first)
        drawn = imputation.draws(_rows(self._codec, codes), n, generator)
        drawn = self._drawn_codes(drawn.flatten(0, 1), generator)
        given = codes.repeat(n, axis=0)
        is_free = np.isnan(given)
        drawn = np.where(is_free, drawn, given)
        drawn = self._network.draw(drawn, is_free, partial(_uniform, generator))
        return drawn.reshape(len(codes), n, -1)

    def _drawn_codes(self, x, generator):
        """Return the codes of drawn rows; a drawn group is any of its categories."""
        schema = self._codec.schema
        uniform = _uniform(generator, (len(x), len(schema.shared)))
        return schema.draw_from_groups(self._codec.drawn(x.numpy()), uniform)

    def _map_rows(self, function, X, dtype, n_rows=CHUNK_ROWS):
        """Apply a function to some rows at a time; return what it makes of all."""

        def apply(rows):
            with torch.inference_mode(), threads(1):
                return function(X[rows])

        first, *others = slices(len(X), n_rows)
        part = apply(first)
        out = np.empty((len(X), *part.shape[1:]), dtype)
        out[first] = part

        def write(rows):
            out[rows] = apply(rows)

        if effective_n_jobs(self.n_jobs) > 1 and len(others) > 1:
            parallel = Parallel(self.n_jobs, require="sharedmem")
            parallel(delayed(whatever_numpy_raises(write))(rows) for rows in others)
        else:
            for rows in others:
                write(rows)
        return out

    # --------------------------------------------------------------- scikit-learn

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = True
        return tags

    def __getstate__(self):
        return dump_fitted({**super().__getstate__(), "_skvae_version": __version__})

    def __setstate__(self, state):
        check_keys(state, type(self))
        version = state.get("_skvae_version", "unknown")
        if version != __version__:
            warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=__version__,
                    original_sklearn_version=version,
                )
            )
        super().__setstate__(load_fitted(state, type(self)))


def _rows(codec, codes, x=None):
    """Return rows as the model takes them; x: scaled, if they are already."""
    x = codec.scaled(codes) if x is None else x
    observed = codec.observed(codes, x)
    scaled = torch.from_numpy(x)
    return Rows(scaled, scaled if observed is x else torch.from_numpy(observed))


def _uniform(generator, shape):
    """Return an array of a generator's uniform draws from [0, 1)."""
    drawn = torch.empty(shape, dtype=torch.float64, device="cpu")
    return drawn.uniform_(generator=generator).numpy()


def _orders(n, n_columns):
    """Return orders of columns, each second one the reverse of that before."""
    random_state = np.random.RandomState(0)
    found = [random_state.permutation(n_columns) for _ in range(-(-n // 2))]
    return [order for one in found for order in (one, one[::-1])][:n]


def _index(X):
    """Return the index of a data frame of pandas, else None."""
    return X.index if hasattr(X, "iloc") else None
