"""What a training run tells of itself while it goes on."""


class Listener:
    """Is told how training goes, and may ask it to stop; this one says nothing."""

    def begin(self, n_epochs):
        """Take note that training begins.

        Parameters
        ----------
        n_epochs : int
            The most that there will be.
        """

    def epoch_end(self, epoch, loss, score):
        """Take note of an epoch, and say whether training is to stop.

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


SILENT = Listener()


class EpochPrinter(Listener):
    """Prints a line an epoch, in the user's units.

    Parameters
    ----------
    log_slope : float
        What a log-density gains on its way to these units, on average.
    """

    def __init__(self, log_slope):
        self._log_slope = log_slope

    def epoch_end(self, epoch, loss, score):
        """Print the loss and, if rows validate, their score."""
        validation = ""
        if score is not None:
            validation = f", validation score {score + self._log_slope:.4f}"
        print(f"Epoch {epoch}: loss {loss - self._log_slope:.4f}{validation}")
        return False
