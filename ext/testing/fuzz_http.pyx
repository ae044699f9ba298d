# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""fuzz_http: bodies; the story is in fuzz_http.pxd.

Floor      testing: may cimport everything; imported only by tests.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from ext.base.chain cimport block_at, block_pool, block_pool_init, chain, chain_clear, chain_init
from ext.base.result cimport AGAIN, DONE, OK
from ext.base.slab cimport slab_clear
from ext.base.span cimport span, span_equals
from ext.http.h1_body cimport h1_body, h1_body_clear, h1_body_feed, h1_body_init, h1_body_trailers
from ext.http.h1_fields cimport h1_limits
from ext.http.h1_parse cimport h1_head_ended, h1_parse_request, h1_parse_response
from ext.http.h1_write cimport h1_write_request, h1_write_response
from ext.http.head cimport BODY_CHUNKED, FIELD_CLEAN, field, head, head_has, head_path
from ext.http.names cimport NAME_HOST

cdef enum promise:
    KEPT = 0
    SPANS_LIE_INSIDE           # every span of a head points into the bytes it was parsed from
    ENDED_MEANS_ANSWERED       # a head whose end was found never gives AGAIN
    ENDED_IS_FOUND             # the end of a head that is read is found, and not a byte before
    PREFIX_GIVES_AGAIN         # a head without its last byte is not complete
    WRITTEN_IS_READ_AGAIN      # what the writer makes of a head is the same head to the strict parser
    SPLIT_CHANGES_NOTHING      # a body is the same however it is cut
    BODY_STAYS_INSIDE          # pieces of a body lie in the input, in order

cdef enum:
    FUZZ_FIELDS = 24           # small, so that the bound is met
    FUZZ_HEAD = 2048

cdef struct setting:
    h1_limits lim
    bint of_request
    bint to_head
    size_t cut                 # where a body is cut, in bytes

cdef struct body_reading:      # all that a body came to; no padding, as it is compared whole
    uint64_t used
    uint64_t sum
    uint64_t body_bytes
    int result
    int trailers


cdef size_t setting_take(setting* s, const char* data, size_t n) noexcept nogil:
    """Reads the settings from the front; returns how many bytes they took."""
    cdef unsigned char bits = <unsigned char>data[0] if n else 0
    s.lim = h1_limits(head_max=FUZZ_HEAD, fields_max=FUZZ_FIELDS, observe=bits & 1)
    s.of_request = (bits & 2) == 0
    s.to_head = (bits & 4) != 0
    s.cut = <size_t>(<unsigned char>data[1]) if n > 1 else 0
    return 2 if n > 1 else n


cdef int parse(const setting* s, char* at, size_t n, field* table, head* h, size_t* used) noexcept nogil:
    if s.of_request:
        return h1_parse_request(at, n, &s.lim, table, h, used)
    return h1_parse_response(at, n, &s.lim, s.to_head, table, h, used)


cdef char* exact_copy(const char* at, size_t n) noexcept nogil:
    """Of exactly that size, so that a sanitizer sees every step beyond it."""
    cdef char* copy = <char*>malloc(n if n else 1)
    if n:
        memcpy(copy, at, n)
    return copy


cdef bint is_inside(span s, const char* at, size_t n) noexcept nogil:
    return s.len == 0 or (s.at >= at and s.at + s.len <= at + n)


cdef bint head_is_inside(const head* h, const char* at, size_t n) noexcept nogil:
    cdef int i
    cdef const field* f
    if not (is_inside(h.method_text, at, n) and is_inside(h.target, at, n) and is_inside(h.authority, at, n)):
        return False
    if not (is_inside(h.reason, at, n) and is_inside(h.upgrade, at, n) and is_inside(head_path(h), at, n)):
        return False
    for i in range(h.field_count):
        f = &h.fields[i]
        if not is_inside(f.name, at, n) or not is_inside(f.value, at, n) or f.name.len == 0:
            return False
        if f.flags & FIELD_CLEAN and f.name.at + f.raw_len > at + n:
            return False
    return True


cdef bint heads_agree(const head* a, const head* b) noexcept nogil:
    cdef int i
    if a.field_count != b.field_count or a.framing != b.framing or a.length != b.length or a.seen != b.seen:
        return False
    if a.status != b.status or a.method != b.method:
        return False
    if a.target.len and a.scheme.len == 0 and not span_equals(a.target, b.target):
        return False
    for i in range(a.field_count):
        if not span_equals(a.fields[i].name, b.fields[i].name) or not span_equals(a.fields[i].value, b.fields[i].value):
            return False
    return b.mended == 0


cdef bint is_read_again(const setting* s, const head* h) noexcept nogil:
    """Writes the head and reads that, strictly."""
    cdef setting strict = s[0]
    cdef int64_t used_bytes = 0
    cdef block_pool pool
    cdef chain out
    cdef head again
    cdef field table[FUZZ_FIELDS]
    cdef size_t used = 0
    cdef char* copy
    cdef bint agree
    strict.lim.observe = False
    strict.lim.head_max = 2 * FUZZ_HEAD
    block_pool_init(&pool, &used_bytes, 1 << 30)
    chain_init(&out, &pool)
    if s.of_request:
        h1_write_request(&out, h, NULL, 0)
    else:
        h1_write_response(&out, h, h.version, NULL, 0)
    copy = exact_copy(block_at(out.head), out.len)
    agree = parse(&strict, copy, out.len, table, &again, &used) == OK and used == out.len and heads_agree(h, &again)
    free(copy)
    chain_clear(&out)
    slab_clear(&pool.blocks)
    return agree and used_bytes == 0


cdef int head_promises(
    const setting* s, const char* data, size_t n, head* h, field* table, size_t* used
) noexcept nogil:
    """Parses a head and checks it; `used` is 0 when there is none."""
    cdef char* at = exact_copy(data, n)
    cdef head other
    cdef field other_table[FUZZ_FIELDS]
    cdef size_t other_used
    cdef size_t seen = 0
    cdef size_t seen_whole = 0
    cdef size_t half
    cdef bint ended
    cdef int broken = KEPT
    cdef int result = parse(s, at, n, table, h, used)
    ended = h1_head_ended(data, n, &seen_whole)
    half = n // 2
    if result == AGAIN and ended:
        broken = ENDED_MEANS_ANSWERED
    elif ended != (h1_head_ended(data, half, &seen) or h1_head_ended(data, n, &seen)):
        broken = ENDED_IS_FOUND
    elif result == OK:
        seen = 0
        seen_whole = 0
        if not head_is_inside(h, at, used[0]) or used[0] > n:
            broken = SPANS_LIE_INSIDE
        elif not h1_head_ended(data, used[0], &seen) or h1_head_ended(data, used[0] - 1, &seen_whole):
            broken = ENDED_IS_FOUND
        elif (head_has(h, NAME_HOST) or not s.of_request) and not is_read_again(s, h):
            broken = WRITTEN_IS_READ_AGAIN
        else:
            free(at)
            at = exact_copy(data, used[0] - 1)
            if parse(s, at, used[0] - 1, other_table, &other, &other_used) != AGAIN:
                broken = PREFIX_GIVES_AGAIN
    if result != OK:
        used[0] = 0
    free(at)
    return broken


cdef int body_read(
    const setting* s, int framing, int64_t length, const char* data, size_t n, size_t cut, body_reading* got
) noexcept nogil:
    """Feeds a body in pieces of `cut` bytes, or at once when that is 0."""
    cdef h1_body b
    cdef head h
    cdef field table[FUZZ_FIELDS]
    cdef size_t at = 0
    cdef size_t piece, used, i
    cdef char* copy
    cdef span body
    cdef int broken = KEPT
    h1_body_init(&b, framing, length, &s.lim, s.of_request)
    got[0] = body_reading(result=AGAIN, used=0, sum=5381, body_bytes=0, trailers=0)
    while at <= n and broken == KEPT:
        piece = n - at if cut == 0 or cut > n - at else cut
        copy = exact_copy(data + at, piece)
        i = 0
        got.result = OK
        while got.result == OK:
            got.result = h1_body_feed(&b, copy + i, piece - i, &used, &body)
            if got.result < 0:
                break
            if used > piece - i or not is_inside(body, copy + i, used):
                broken = BODY_STAYS_INSIDE
                break
            got.used += used
            got.body_bytes += body.len
            i += used
            for used in range(body.len):
                got.sum = got.sum * 33 + <unsigned char>body.at[used]
        free(copy)
        at += piece
        if got.result != AGAIN or at == n:
            break
    if got.result == DONE and framing == BODY_CHUNKED:
        if h1_body_trailers(&b, table, &h) != OK or not head_is_inside(&h, b.trailer, b.trailer_len):
            broken = SPANS_LIE_INSIDE
        got.trailers = h.field_count
    if got.result < 0:
        got.used = 0
    h1_body_clear(&b)
    return broken


cdef int body_promises(const setting* s, int framing, int64_t length, const char* data, size_t n) noexcept nogil:
    cdef body_reading whole, cut, bytewise
    cdef int broken = body_read(s, framing, length, data, n, 0, &whole)
    if broken == KEPT:
        broken = body_read(s, framing, length, data, n, s.cut, &cut)
    if broken == KEPT:
        broken = body_read(s, framing, length, data, n, 1, &bytewise)
    if broken != KEPT:
        return broken
    if memcmp(&whole, &cut, sizeof(body_reading)) or memcmp(&whole, &bytewise, sizeof(body_reading)):
        return SPLIT_CHANGES_NOTHING
    return KEPT


cdef int fuzz_message(const char* data, size_t n) noexcept nogil:
    """A head, and the body that it announces."""
    cdef setting s
    cdef head h
    cdef field table[FUZZ_FIELDS]
    cdef size_t used = 0
    cdef size_t taken = setting_take(&s, data, n)
    cdef int broken = head_promises(&s, data + taken, n - taken, &h, table, &used)
    if broken != KEPT or used == 0:
        return broken
    return body_promises(&s, h.framing, h.length, data + taken + used, n - taken - used)


cdef int fuzz_chunked(const char* data, size_t n) noexcept nogil:
    """A chunked body."""
    cdef setting s
    cdef size_t taken = setting_take(&s, data, n)
    return body_promises(&s, BODY_CHUNKED, -1, data + taken, n - taken)


def run(str target, bytes data):
    """The number of the promise that these bytes break; 0 when all are kept."""
    if target == "message":
        return fuzz_message(data, len(data))
    return fuzz_chunked(data, len(data))
