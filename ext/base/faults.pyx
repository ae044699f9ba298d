# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""faults: the Python mirror of the table in faults.h.

Floor      base: may cimport nothing outside of base.
"""

from ext.base.debug cimport EXT_IS_DEBUG, LIVE_COUNT, LIVE_KINDS

BLAMES = ("caller", "self", "upstream")
LIVE_NAMES = ("arena", "block", "transport", "conn", "stream", "exchange", "ticket")


def fault_names():
    """The names of all faults in the order of their numbers, lower case; the first is "none"."""
    cdef int i
    return tuple([fault_table[i].name.decode().lower() for i in range(<int>FAULT_COUNT)])


def fault_rows():
    """All rows: (name, blame, status, gateway status, close, RFC 9209 type, detail)."""
    cdef int i
    return tuple([
        (
            fault_table[i].name.decode().lower(),
            BLAMES[fault_table[i].blame],
            fault_table[i].status,
            fault_table[i].gateway_status,
            bool(fault_table[i].close),
            fault_table[i].type.decode(),
            fault_table[i].detail.decode(),
        )
        for i in range(<int>FAULT_COUNT)
    ])


def live_objects():
    """Objects alive by kind; all zero in a release build, where nothing counts."""
    return {LIVE_NAMES[kind]: LIVE_COUNT(kind) for kind in range(<int>LIVE_KINDS)}


def is_debug():
    return bool(EXT_IS_DEBUG)
