"""What a fit does when someone would not wait for its end: it ends early, but well."""


class Haste:
    """Whether someone would not wait for the end of a fit.

    Attributes
    ----------
    reason : str
        "asked", "interrupted", or empty as long as there is time.
    """

    def __init__(self):
        self.reason = ""

    def interrupt(self):
        """Take note of a KeyboardInterrupt; raise it if there was one before."""
        if self.reason == "interrupted":
            raise KeyboardInterrupt
        self.reason = "interrupted"

    def insist(self, step, *args):
        """Take a step that there is no result without, again after an interrupt."""
        try:
            return step(*args)
        except KeyboardInterrupt:
            self.interrupt()
            return step(*args)
