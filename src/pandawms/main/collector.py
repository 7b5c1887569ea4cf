"""The garbage collector of a program that runs for long."""

import gc


def spare() -> None:
    """What is there at the start stays for ever, so that the collector need not go through it again; and it comes seldom: neither a call of the server nor a
    step of the engine leaves circles that are worth more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
