"""What stops a run: a tool that is missing, a server that does not start, a peer that failed."""


class Stop(Exception):
    """The run cannot go on; the text names the thing."""
