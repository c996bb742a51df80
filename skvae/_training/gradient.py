"""Loss and gradient of one batch: the ELBO's, derived by hand.

On a table a training step costs what surrounds its arithmetic: autograd's graph, and
memory for every intermediate. `Gradient` is the forward pass of `_model/network.py` and
`_model/bounds.py` line by line, and then the same lines backwards, each by the chain
rule; every array it writes to is made once. Tests hold it to autograd.
"""

from itertools import pairwise
from math import inf

import torch

from skvae._model.network import MAX_LOG_VAR, MLP_RANGE
from skvae._numerics.activations import ACTIVATIONS


class Gradient:
    """The gradient of a batch's negative ELBO.

    Parameters
    ----------
    vae : VAE
        Its parameters are read where they stand at each call.
    n_rows : int
        Rows of a batch.
    have_missing : bool
        Whether entries of them may be missing.

    Attributes
    ----------
    x : Tensor of shape (n_rows, d)
        The batch: to be written before each call. What is missing has been filled in.
    target : Tensor of shape (n_rows, d)
        The batch once more, if entries are missing: NaN where an entry is missing.
    draws : Tensor of shape (n_rows, k)
        Standard normal draws, likewise; zeros at first.
    flat : Tensor of shape (n_parameters,)
        The gradient that the last call found.
    """

    def __init__(self, vae, n_rows, have_missing=False):
        k, new = vae.architecture.n_components, vae.flat.new_empty
        self.x, self.target, self.draws = _batch(vae, n_rows, have_missing)
        self.log_var, self.var, self.std, self.move = new(4, n_rows, k)
        self.z, self.z_grad = new(2, n_rows, k)
        self.kl = new(())
        # A Python number costs an operation more than a tensor does.
        self.one, self.half, self.row = vae.flat.new_tensor([1, 0.5, 1 / n_rows])
        self.flat = torch.zeros_like(vae.flat)
        self.encoder = _Coder("encoder", vae, self.flat, self.x)
        self.decoder = _Coder("decoder", vae, self.flat, self.z)
        self.mean, self.unbounded_log_var = self.encoder.output.chunk(2, dim=1)
        self.mean_grad, self.log_var_grad = self.encoder.output_grad.chunk(2, dim=1)

    def __call__(self, likelihood, beta):
        """Write the gradient to `flat`; return what the loss is made of.

        Parameters
        ----------
        likelihood : Tracked
        beta : float
            Weight of the KL divergence.

        Returns
        -------
        error : Tensor of shape (d,)
            Mean error of each column, squared where it is a number.
        kl : Tensor of shape ()
            Mean KL divergence of a row. The next call overwrites both.
        """
        kl_weight = beta / len(self.x)
        # encode
        self.encoder.forward()
        torch.clamp(self.unbounded_log_var, max=MAX_LOG_VAR, out=self.log_var)
        # draw z
        torch.exp(self.log_var, out=self.var)
        torch.sqrt(self.var, out=self.std)
        torch.mul(self.std, self.draws, out=self.move)
        torch.add(self.mean, self.move, out=self.z)
        # decode
        self.decoder.forward()
        decoded, grad = self.decoder.output, self.decoder.output_grad
        error = likelihood.backward(self.target, decoded, self.row, out=grad)
        # and back: decode
        self.decoder.backward()
        self.decoder.input_gradient(out=self.z_grad)
        # draw z; the KL divergence enters
        excess = self.var.sub_(self.one)
        torch.add(self.z_grad, self.mean, alpha=kl_weight, out=self.mean_grad)
        torch.mul(self.z_grad, self.move, out=self.log_var_grad)
        self.log_var_grad.add_(excess, alpha=kl_weight).mul_(self.half)
        _clamp_backward(self.log_var_grad, self.unbounded_log_var)
        # encode
        self.encoder.backward()
        # the sum of bounds.kl_divergence
        kl = excess.addcmul_(self.mean, self.mean).sub_(self.log_var)
        torch.sum(kl, (0, 1), out=self.kl)
        return error, self.kl.mul_(self.half).mul_(self.row)


class _Coder:
    """The encoder or the decoder: a linear map plus an MLP, forwards and backwards."""

    def __init__(self, name, vae, flat_grad, x):
        architecture, new = vae.architecture, vae.flat.new_empty
        parts, grads = (architecture.views(flat) for flat in (vae.flat, flat_grad))
        self.activate, self.activate_backward = ACTIVATIONS[architecture.activation]
        self.layers = [
            _Layer(f"{name}_{i}", parts, grads, len(x))
            for i in range(architecture.n_layers)
        ]
        self.pairs = list(pairwise(self.layers))
        self.x, self.x_t = x, x.T
        self.scale = torch.empty_like(x)
        self.one = new(()).fill_(1)
        self.bias, self.bias_grad = (p[f"{name}_linear_bias"] for p in (parts, grads))
        self.linear, self.linear_grad = (
            p[f"{name}_linear_weight"] for p in (parts, grads)
        )
        self.linear_t = self.linear.T
        self.output, self.output_grad = new(2, len(x), len(self.bias))
        # The linear map of the encoder is to the mean alone.
        n_linear = self.linear.shape[1]
        self.linear_output = self.output[:, :n_linear]
        self.linear_output_grad = self.output_grad[:, :n_linear]

    def forward(self):
        """Write to `output`."""
        if self.layers:
            self._forward_mlp()
        else:
            self.output.copy_(self.bias)
        self.linear_output.addmm_(self.x, self.linear)

    def _forward_mlp(self):
        first, last = self.layers[0], self.layers[-1]
        # squash
        torch.addcmul(self.one, self.x, self.x, value=MLP_RANGE**-2, out=self.scale)
        self.scale.pow_(-0.5).sqrt_()
        torch.mul(self.x, self.scale, out=first.input)
        for layer, above in self.pairs:
            torch.addmm(layer.bias, layer.input, layer.weight, out=layer.output)
            self.activate(layer.output, out=above.input)
        torch.addmm(self.bias, last.input, last.weight, out=self.output)

    def backward(self):
        """Find the gradients of the parameters from `output_grad`."""
        torch.mm(self.x_t, self.linear_output_grad, out=self.linear_grad)
        torch.sum(self.output_grad, 0, out=self.bias_grad)
        grad = self.output_grad
        for below, layer in reversed(self.pairs):
            torch.mm(layer.input_t, grad, out=layer.weight_grad)
            torch.mm(grad, layer.weight_t, out=layer.input_grad)
            grad = self.activate_backward(layer.input_grad, below.output, layer.input)
            torch.sum(grad, 0, out=below.bias_grad)
        if self.layers:
            first = self.layers[0]
            torch.mm(first.input_t, grad, out=first.weight_grad)
        self.first_output_grad = grad

    def input_gradient(self, out):
        """Write the gradient of `x` to `out`, after `backward`."""
        torch.mm(self.linear_output_grad, self.linear_t, out=out)
        if self.layers:
            first = self.layers[0]
            torch.mm(self.first_output_grad, first.weight_t, out=first.input_grad)
            # squash: its derivative is (scale + scale^5) / 2
            out.addcmul_(first.input_grad, self.scale, value=0.5)
            out.addcmul_(first.input_grad, self.scale.pow_(5), value=0.5)


class _Layer:
    """The parameters of a layer, and what passes through it both ways."""

    def __init__(self, name, parts, grads, n_rows):
        self.weight, self.weight_grad = (p[f"{name}_weight"] for p in (parts, grads))
        self.bias, self.bias_grad = (p.get(f"{name}_bias") for p in (parts, grads))
        n_in, n_out = self.weight.shape
        self.input, self.input_grad = self.weight.new_empty(2, n_rows, n_in)
        self.output = self.weight.new_empty(n_rows, n_out)  # before the activation
        self.input_t, self.weight_t = self.input.T, self.weight.T


def _batch(vae, n_rows, have_missing):
    d, k = vae.architecture.n_features, vae.architecture.n_components
    x, draws = vae.flat.new_zeros(n_rows, d), vae.flat.new_zeros(n_rows, k)
    return x, torch.zeros_like(x) if have_missing else x, draws


def _clamp_backward(grad, unbounded):
    """Let no gradient through where the log-variance is at its bound."""
    bounds = -inf, MAX_LOG_VAR
    torch.ops.aten.hardtanh_backward.grad_input(
        grad, unbounded, *bounds, grad_input=grad
    )
