"""What a fit tells of itself while it goes on."""

from math import isfinite
from time import perf_counter

STEPS_A_LINE = 50
ENDS = {
    "patience": "the validation score improved no more",
    "converged": "the layout hardly changed",
    "max_epochs": "that is the most allowed",
    "asked": "it was asked to stop",
    "interrupted": "it was interrupted",
    "diverged": "the loss became infinite or NaN",
}


class Listener:
    """Is told how a fit goes, and may ask it to stop; this one says nothing."""

    def phase(self, name):
        """Take note of a part of the fit that begins, or of what one has found.

        Parameters
        ----------
        name : str
            In a few words.
        """

    def begin(self, n_epochs):
        """Take note that training begins; there may be several in a fit.

        Parameters
        ----------
        n_epochs : int
            The most that there will be.
        """

    def epoch_end(self, epoch, loss, score):
        """Take note of an epoch, and say whether the fit is to end here.

        It then keeps the best model so far, and trains no more.

        Parameters
        ----------
        epoch : int
            From 1.
        loss : float
            Mean negative ELBO of its batches, nats a row.
        score : float or None
            Of the validation rows, nats a row, if there are any.

        Returns
        -------
        bool
        """
        return False

    def step_end(self, step, divergence):
        """Take note of the steps of a layout so far, and say whether it is to end.

        Parameters
        ----------
        step : int
            From 1; some of them are told.
        divergence : float
            Of its neighbours from those of the table, in nats.

        Returns
        -------
        bool
        """
        return False

    def end(self, solution):
        """Take note of the result.

        Parameters
        ----------
        solution : Solution
        """


SILENT = Listener()


class Printer(Listener):
    """Prints each phase, each epoch and the result, in the user's units.

    Parameters
    ----------
    log_slope : float
        What a log-density gains on its way to these units, on average.
    """

    def __init__(self, log_slope):
        self._log_slope, self._start = log_slope, perf_counter()

    def phase(self, name):
        """Print what begins."""
        self._print(name)

    def epoch_end(self, epoch, loss, score):
        """Print the loss and, if rows validate, their score."""
        validation = ""
        if score is not None:
            validation = f", validation score {score + self._log_slope:.4f}"
        self._print(f"Epoch {epoch}: loss {loss - self._log_slope:.4f}{validation}")
        return False

    def step_end(self, step, divergence):
        """Print the divergence, now and then."""
        if step % STEPS_A_LINE == 0:
            self._print(f"Step {step}: divergence {divergence:.4f}")
        return False

    def end(self, solution):
        """Print why training stopped, and what is kept."""
        progress = solution.progress
        if progress.stopped in ENDS:
            n_epochs, reason = progress.n_epochs, ENDS[progress.stopped]
            what = f"The layout ended after step {n_epochs}"
            if not solution.is_map:
                what = f"Training stopped after epoch {n_epochs}"
            self._print(f"{what}, as {reason}")
        kept = f"the network of epoch {progress.best_epoch}"
        if not progress.best_epoch:
            kept = "the map" if solution.is_map else "the linear model"
        score = ""
        if isfinite(progress.start_score):
            score = f", validation score {progress.best_score + self._log_slope:.4f}"
        n_active, k = solution.n_active, len(solution.component_kl)
        self._print(
            f"Kept {kept}{score}: {n_active} of {k} components are active, and the "
            f"weight of the network in the density is {solution.density.weights[0]:.2f}"
        )

    def _print(self, text):
        print(f"{text} ({perf_counter() - self._start:.1f} s)", flush=True)
