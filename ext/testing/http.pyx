# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""http: the test door to the codecs of ext.http.

Floor      testing: may cimport everything; imported only by tests and micro benchmarks.
Takes      bytes; each call works on a copy of exactly that size, so that a
           sanitizer sees every step beyond it.
Gives      plain Python values.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from ext.base.arena cimport ARENA_CHUNK, arena, arena_free, arena_new
from ext.base.chain cimport block, block_at, block_pool, block_pool_init, chain, chain_clear, chain_init
from ext.base.clock cimport clock_now_ns
from ext.base.faults cimport fault_table
from ext.base.result cimport OK
from ext.base.slab cimport slab, slab_clear, slab_init
from ext.base.span cimport span, span_of
from ext.http.h1_body cimport (
    h1_body,
    h1_body_clear,
    h1_body_ends_here,
    h1_body_feed,
    h1_body_finished_by_close,
    h1_body_init,
    h1_body_trailers,
)
from ext.http.h1_fields cimport h1_limits
from ext.http.h1_parse cimport h1_head_ended, h1_parse_request, h1_parse_response
from ext.http.h1_write cimport h1_chunk_head, h1_write_request, h1_write_response, h1_write_trailers
from ext.http.head cimport FIELD_CLEAN, FIELD_NAMED_AWAY, field, head, head_keep, head_path
from ext.http.names cimport NAME_COUNT, name_flags, name_lookup, name_rows

from ext.http.head import MEND_NAMES

FRAMINGS = ("none", "length", "chunked", "until_close")


cdef bytes text(span s):
    return s.at[: s.len] if s.len else b""


cdef str outcome(int result):
    """ "ok", "again", "done", or the fault's name."""
    if result < 0:
        return fault_table[-result].name.decode().lower()
    return ("ok", "again", "done")[result]


cdef list mends(uint64_t bits):
    return [MEND_NAMES[i] for i in range(len(MEND_NAMES)) if bits >> i & 1]


cdef list names_in(uint64_t bits):
    return [name_rows[i].text.decode() for i in range(NAME_COUNT) if bits >> i & 1]


cdef dict view(const head* h):
    """The head as plain values."""
    cdef int i
    return {
        "version": h.version,
        "method_id": h.method,
        "method": text(h.method_text),
        "target": text(h.target),
        "path": text(head_path(h)),
        "scheme": text(h.scheme),
        "authority": text(h.authority),
        "status": h.status,
        "reason": text(h.reason),
        "framing": FRAMINGS[h.framing],
        "length": h.length,
        "keep_alive": bool(h.keep_alive),
        "expects_continue": bool(h.expects_continue),
        "expects_other": bool(h.expects_other),
        "wants_upgrade": bool(h.wants_upgrade),
        "upgrade": text(h.upgrade),
        "te_trailers": bool(h.te_trailers),
        "fields": [(text(h.fields[i].name), text(h.fields[i].value)) for i in range(h.field_count)],
        "ids": [h.fields[i].id for i in range(h.field_count)],
        "clean": [bool(h.fields[i].flags & FIELD_CLEAN) for i in range(h.field_count)],
        "raw": [h.fields[i].name.at[: h.fields[i].raw_len] for i in range(h.field_count)],
        "named_away": [
            text(h.fields[i].name) for i in range(h.field_count) if h.fields[i].flags & FIELD_NAMED_AWAY
        ],
        "seen": names_in(h.seen),
        "repeated": names_in(h.repeated),
        "mended": mends(h.mended),
        "bytes": h.bytes,
    }  # fmt: skip


cdef class Message:
    """One head, parsed from bytes; the bytes, the table and the head live as long as this object.

    Ownership
        at      owns    the copy of the bytes
        table   owns    room for fields_max fields
    """
    cdef char* at
    cdef field* table
    cdef head h
    cdef h1_limits lim
    cdef size_t n
    cdef readonly size_t used
    cdef readonly str result
    cdef bint of_request

    def __cinit__(self, bytes data, *, bint of_request=True, bint to_head=False, int head_max=65536,
                  int fields_max=100, bint observe=False):
        cdef int result
        self.n = len(data)
        self.lim = h1_limits(head_max=head_max, fields_max=fields_max, observe=observe)
        self.at = <char*>malloc(self.n + (self.n == 0))
        self.table = <field*>malloc(sizeof(field) * fields_max + 1)
        if self.at is NULL or self.table is NULL:
            raise MemoryError()
        memcpy(self.at, <const char*>data, self.n)
        if of_request:
            result = h1_parse_request(self.at, self.n, &self.lim, self.table, &self.h, &self.used)
        else:
            result = h1_parse_response(self.at, self.n, &self.lim, to_head, self.table, &self.h, &self.used)
        self.of_request = of_request
        self.result = outcome(result)

    def __dealloc__(self):
        free(self.at)
        free(self.table)

    def view(self):
        """The head as a dictionary; only for the result "ok"."""
        if self.result != "ok":
            raise ValueError(self.result)
        return view(&self.h)

    def buffer(self):
        """The bytes as they are now, mended ones in place."""
        return self.at[: self.n]

    def kept(self):
        """The view of the head after it was kept and its own bytes and table were wiped."""
        cdef slab home
        cdef arena* a
        cdef head* kept
        slab_init(&home, ARENA_CHUNK, 1)
        a = arena_new(&home)
        kept = head_keep(&self.h, self.at, self.used, a)
        memset(self.at, c'!', self.n)
        memset(self.table, 0xff, sizeof(field) * self.lim.fields_max)
        result = view(kept)
        arena_free(a)
        slab_clear(&home)
        return result

    def written(self, tuple drop=(), int version=11, tuple extra=()):
        """The head written again, without the fields of the names in `drop` (lower case), with `extra` ones."""
        cdef int i
        cdef int kept = 0
        for i in range(self.h.field_count):
            if text(self.h.fields[i].name).lower() not in drop:
                self.table[kept] = self.table[i]
                kept += 1
        self.h.field_count = kept
        return written(&self.h, self.of_request, version, list(extra))


cdef field* table_of(list fields) except NULL:
    """A table of plain values, which must outlive it; to be freed."""
    cdef field* table = <field*>malloc(sizeof(field) * len(fields) + 1)
    cdef int i
    if table is NULL:
        raise MemoryError()
    memset(table, 0, sizeof(field) * len(fields))
    for i, (name, value) in enumerate(fields):
        table[i].name = span_of(<const char*>(<bytes>name), len(name))
        table[i].value = span_of(<const char*>(<bytes>value), len(value))
    return table


cdef bytes written(const head* h, bint of_request, int version, list extra_fields):
    cdef field* extra = table_of(extra_fields)
    cdef int extra_count = len(extra_fields)
    cdef int64_t used_bytes = 0
    cdef block_pool pool
    cdef chain out
    cdef block* b
    cdef int result
    block_pool_init(&pool, &used_bytes, 1 << 30)
    chain_init(&out, &pool)
    if version == 0:
        result = h1_write_trailers(&out, h)
    elif of_request:
        result = h1_write_request(&out, h, extra, extra_count)
    else:
        result = h1_write_response(&out, h, version, extra, extra_count)
    pieces = []
    b = out.head
    while b is not NULL:
        pieces.append(block_at(b)[: b.end - b.start])
        b = b.next
    total = <Py_ssize_t>out.len
    chain_clear(&out)
    slab_clear(&pool.blocks)
    free(extra)
    made = b"".join(pieces)
    if result != OK or total != len(made) or used_bytes != 0:
        raise AssertionError(f"writer gave {outcome(result)}, {total} bytes counted, {used_bytes} left")
    return made


def write_made(bytes method, bytes target, int status, bytes reason, list fields, int version=11):
    """A head made of plain values, written: a request when there is a method, trailers for version 0."""
    cdef head h
    cdef field* table = table_of(fields)
    memset(&h, 0, sizeof(head))
    h.method_text = span_of(method, len(method))
    h.target = span_of(target, len(target))
    h.status = status
    h.reason = span_of(reason, len(reason))
    h.fields = table
    h.field_count = len(fields)
    try:
        return written(&h, bool(method), version, [])
    finally:
        free(table)


def chunk_head(size_t n):
    """The size line of a chunk."""
    cdef char out[20]
    cdef size_t length = h1_chunk_head(out, n)
    return out[:length]


def head_ended(list pieces):
    """How many pieces the resumable search needed; 0 when it did not find the end."""
    cdef size_t seen = 0
    cdef bytes so_far = b""
    cdef int i
    for i, piece in enumerate(pieces):
        so_far += piece
        if h1_head_ended(so_far, len(so_far), &seen):
            return i + 1
    return 0


def lookup(bytes name):
    """(id, flags) of a field name."""
    cdef int name_id = name_lookup(name, len(name))
    return name_id, name_flags(name_id)


cdef class Body:
    """A body decoder, fed with bytes.

    Ownership
        b       inline; its trailers are freed with it
    """
    cdef h1_body b
    cdef h1_limits lim

    def __cinit__(self, str framing, int64_t length=-1, *, bint of_request=True, int head_max=65536,
                  int fields_max=100, bint observe=False):
        self.lim = h1_limits(head_max=head_max, fields_max=fields_max, observe=observe)
        h1_body_init(&self.b, FRAMINGS.index(framing), length, &self.lim, of_request)

    def __dealloc__(self):
        h1_body_clear(&self.b)

    def feed(self, bytes data):
        """(result, body bytes, bytes used) after feeding until AGAIN, DONE or a fault."""
        cdef size_t n = len(data)
        cdef char* copy = <char*>malloc(n + (n == 0))
        cdef size_t at = 0
        cdef size_t used = 0
        cdef span piece
        cdef int result = OK
        cdef list body = []
        memcpy(copy, <const char*>data, n)
        while result == OK:
            result = h1_body_feed(&self.b, copy + at, n - at, &used, &piece)
            if result >= 0:
                at += used
            if result == OK:
                body.append(text(piece))
        free(copy)
        return outcome(result), b"".join(body), at

    def ends_here(self, bytes rest):
        """Whether the piece just given was the last, `rest` being what follows it."""
        return bool(h1_body_ends_here(&self.b, rest, len(rest)))

    def piece(self, bytes data):
        """(body bytes, bytes used) of one call; `data` must be kept by the caller."""
        cdef size_t used = 0
        cdef span got
        if h1_body_feed(&self.b, data, len(data), &used, &got) != OK:
            raise ValueError("no piece of body")
        return text(got), used

    def trailers(self):
        """The trailer fields that may be forwarded."""
        cdef head h
        cdef field* table = <field*>malloc(sizeof(field) * self.lim.fields_max + 1)
        cdef int result = h1_body_trailers(&self.b, table, &h)
        if result != OK:
            free(table)
            raise AssertionError(outcome(result))
        fields = view(&h)["fields"]
        free(table)
        return fields

    def mended(self):
        return mends(self.b.mended)

    def finished_by_close(self):
        return bool(h1_body_finished_by_close(&self.b))


def parse_ns(bytes data, int rounds, *, bint of_request=True, bint observe=False):
    """Nanoseconds for one head, the mean of so many rounds."""
    cdef char* copy = <char*>malloc(len(data))
    cdef field table[128]
    cdef head h
    cdef size_t used
    cdef size_t n = len(data)
    cdef h1_limits lim = h1_limits(head_max=65536, fields_max=128, observe=observe)
    cdef uint64_t start
    cdef int _round
    cdef int result = OK
    memcpy(copy, <const char*>data, n)
    with nogil:
        start = clock_now_ns()
        for _round in range(rounds):
            if of_request:
                result |= h1_parse_request(copy, n, &lim, table, &h, &used)
            else:
                result |= h1_parse_response(copy, n, &lim, False, table, &h, &used)
        start = clock_now_ns() - start
    free(copy)
    if result != OK:
        raise ValueError("not a head")
    return start / rounds


def write_ns(bytes data, int rounds):
    """Nanoseconds for writing a request head that was parsed from `data`."""
    cdef Message message = Message(data)
    cdef int64_t used_bytes = 0
    cdef block_pool pool
    cdef chain out
    cdef uint64_t start
    cdef int _round
    block_pool_init(&pool, &used_bytes, 1 << 30)
    with nogil:
        start = clock_now_ns()
        for _round in range(rounds):
            chain_init(&out, &pool)
            h1_write_request(&out, &message.h, NULL, 0)
            chain_clear(&out)
        start = clock_now_ns() - start
    slab_clear(&pool.blocks)
    return start / rounds
