"""When Python looks for garbage in a process that serves for weeks."""

import gc
from typing import Final

NEW_OBJECTS: Final = 5_000
"""How many objects may gather before the young ones are looked through.

Nearly all that a request leaves behind is freed without that. The default of 700 cost about a fourteenth of the
processor time of a credit; beyond this figure nothing more was gained.
"""


def settle_in() -> None:
    """To be called once everything is loaded, which stays: later collections leave it out.

    Looking through it would cost half a second each time, and once more at the end.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 20, 20)
