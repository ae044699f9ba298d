# cython: language_level=3
"""result: what a function of the engine returns.

OK, AGAIN and DONE are never negative. A failure is a fault of faults.h,
returned as its negative, so `if result < 0` is the one check for trouble.
"""

cdef enum:
    OK = 0      # did what was asked
    AGAIN = 1   # did what could be done now; an event tells when to go on
    DONE = 2    # there is nothing more to come
