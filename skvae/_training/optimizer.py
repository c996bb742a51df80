"""AdamW (Loshchilov & Hutter 2019) on one flat parameter vector."""

import torch

BETAS = 0.9, 0.999
EPS = 1e-16  # under the root
WARMUP_STEPS = 100


class AdamW:
    """The optimiser, with a rate that rises to its full value by and by.

    Parameters
    ----------
    flat : Tensor of shape (n_parameters,)
        The parameters, moved where they stand.
    n_decayed : int
        The first so many are decayed.
    learning_rate, weight_decay : float
    """

    def __init__(self, flat, n_decayed, learning_rate, weight_decay):
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.n_steps = 0
        self._flat, self._decayed = flat, flat[:n_decayed]
        self._first_moment = torch.zeros_like(flat)
        self._second_moment = torch.zeros_like(flat)
        self._scale = torch.empty_like(flat)
        self._epsilon = flat.new_tensor(EPS)

    def step(self, gradient):
        """Move the parameters against a gradient."""
        self.n_steps += 1
        t = self.n_steps
        rate = self.learning_rate * min(1.0, t / WARMUP_STEPS)
        beta1, beta2 = BETAS
        self._first_moment.lerp_(gradient, 1 - beta1)
        torch.addcmul(self._epsilon, gradient, gradient, out=self._scale)
        self._second_moment.lerp_(self._scale, 1 - beta2)
        torch.pow(self._second_moment, -0.5, out=self._scale)
        self._decayed.sub_(self._decayed, alpha=rate * self.weight_decay)
        rate *= (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        self._flat.addcmul_(self._first_moment, self._scale, value=-rate)

    def restart(self, slowdown):
        """Forget the moments and the number of steps, and go on at a lower rate."""
        self.learning_rate *= slowdown
        self.n_steps = 0
        self._first_moment.zero_()
        self._second_moment.zero_()

    def state(self):
        """Return copies of all that the next step depends on, beside the parameters."""
        return {
            "learning_rate": self.learning_rate,
            "n_steps": self.n_steps,
            "first_moment": self._first_moment.clone(),
            "second_moment": self._second_moment.clone(),
        }

    def load(self, state):
        """Go on from what `state` returned."""
        self.learning_rate, self.n_steps = state["learning_rate"], state["n_steps"]
        self._first_moment.copy_(state["first_moment"])
        self._second_moment.copy_(state["second_moment"])
