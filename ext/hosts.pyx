# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""hosts: the door through which routes reach the engine.

Floor      a door: may cimport every floor below.
Takes      values that come from a cluster: what is wrong with them is said.
Gives      an object that plans put into their tables; it may go afterwards.
"""

from libc.stdint cimport uint64_t

from ext.http.names cimport NAME_HOST, NAME_IS_HOP, NAME_IS_ONCE, name_flags, name_lookup
from ext.proxy.routes cimport HOST_BYTES_MAX, host_routes_drop, host_routes_new, route_split
from ext.proxy.text cimport text, text_intern

TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Characters of a field name (RFC 9110 5.1)."""

SETS_MAX = 1000


cdef class HostRoutes:
    """
    paths    tried in this order; objects with the attributes of dataplane.contract.routes.Path:
                 prefix        of the raw request target, byte by byte
                 headers       name -> value, all must be there; an empty value: with any value
                 splits        objects with `target` (a name in the plan), `percent`, `set_headers`
                 set_headers   name -> value, overwritten; they win over those of a split
                 rewrite_host  in place of Host; empty: as it came
                 redirect      301 to https from cleartext listeners; over TLS its splits serve, if it has any
                 local         for private listeners only
    hash     of the ingress, in place of `K-Network-Hash: override`
    Raises   ValueError that names all that is wrong.
    """

    def __cinit__(self, paths, str hash=""):
        problems = []
        plain = [checked(path, f"paths[{i}]", problems) for i, path in enumerate(paths)]
        if problems:
            raise ValueError("; ".join(problems))
        self.fill(plain, hash)

    def __dealloc__(self):
        if self.c is not NULL:
            host_routes_drop(self.c)

    cdef void fill(self, list paths, str hash) except *:
        splits = sum([len(path[2]) for path in paths])
        rules = sum([len(path[1]) + sum([len(sets) for _, _, sets in path[2]]) for path in paths])
        self.c = host_routes_new(len(paths), splits, rules)
        if self.c is NULL:
            raise MemoryError()
        self.c.local = bool(paths) and all([path[5] for path in paths])
        self.c.hash = kept(hash)
        for i, path in enumerate(paths):
            self.fill_path(&self.c.paths[<int>i], path)

    cdef void fill_path(self, route_path* to, tuple path) except *:
        cdef route_split* s
        cdef int i
        prefix, matches, splits, host, redirect, local = path
        to.prefix = kept(prefix)
        if host:
            to.host = kept(host)
        to.redirect = redirect
        to.local = local
        to.match_count = len(matches)
        to.matches = self.take_rules(matches)
        to.split_count = len(splits)
        to.splits = self.c.splits + self.splits_taken
        until = 0
        for target, percent, sets in splits:
            until += percent
            s = &self.c.splits[self.splits_taken]
            self.splits_taken += 1
            s.target = kept(target)
            s.host = to.host
            s.until = until
            s.set_count = len(sets)
            s.sets = self.take_rules(sets)
            for i in range(s.set_count):
                if s.sets[i].name.name_id:
                    s.set_ids |= <uint64_t>1 << s.sets[i].name.name_id
                else:
                    s.set_others = True

    cdef header_rule* take_rules(self, dict fields) except NULL:
        cdef header_rule* first = self.c.rules + self.rules_taken
        for name, value in fields.items():
            self.c.rules[self.rules_taken].name = kept(name)
            self.c.rules[self.rules_taken].value = kept(value)
            self.rules_taken += 1
        return first


cdef text* kept(str value) except NULL:
    cdef bytes plain = value.encode()
    cdef text* t = text_intern(plain, len(plain))
    if t is NULL:
        raise MemoryError()
    return t


cdef tuple checked(path, str where, list problems):
    """(prefix, matches by lower-case name, [(target, percent, sets)], host, redirect, local).

    A split's sets have the path's.
    """
    matches = {name.lower(): value for name, value in path.headers.items()}
    problems += wrong_fields(path.headers, f"{where}.headers", False)
    problems += wrong_fields(path.set_headers, f"{where}.set_headers", True)
    if any([c <= " " or c == "\x7f" for c in path.rewrite_host]) or len(path.rewrite_host.encode()) > HOST_BYTES_MAX:
        problems.append(f"{where}.rewrite_host: {path.rewrite_host!r} is no host")
    splits = []
    for i, split in enumerate(path.splits):
        problems += wrong_fields(split.set_headers, f"{where}.splits[{i}].set_headers", True)
        if not 0 <= split.percent <= 1_000_000:
            problems.append(f"{where}.splits[{i}].percent: {split.percent} is not in 0 to 1000000")
        splits.append((split.target, split.percent, merged(split.set_headers, path.set_headers)))
    if path.splits and not sum([split.percent for split in path.splits]):
        problems.append(f"{where}.splits: no split has any percent")
    if not path.splits and not path.redirect:
        problems.append(f"{where}.splits: there is none, and no redirect")
    return path.prefix, matches, splits, path.rewrite_host, path.redirect, path.local


cdef dict merged(split, path):
    """Names as they are spelled, the same in any case being one; those of the path win."""
    named = {name.lower(): (name, value) for name, value in split.items()}
    named.update({name.lower(): (name, value) for name, value in path.items()})
    return dict(named.values())


cdef list wrong_fields(fields, str where, bint sets):
    """What is wrong with names and values; of those that are set, also with what frames or routes a message."""
    cdef int name_id
    problems = []
    if len(fields) > SETS_MAX:
        problems.append(f"{where}: {len(fields)} fields are more than {SETS_MAX}")
    for name, value in fields.items():
        plain = name.encode()
        name_id = name_lookup(plain, len(plain))
        if not name or not TOKEN.issuperset(name):
            problems.append(f"{where}: {name!r} is no field name")
        elif sets and (name_id == NAME_HOST or name_flags(name_id) & (NAME_IS_HOP | NAME_IS_ONCE)):
            problems.append(f"{where}: {name} cannot be set, as it frames or routes the message")
        if any([c < " " and c != "\t" or c == "\x7f" for c in value]) or value != value.strip(" \t"):
            problems.append(f"{where}: the value of {name} is no field value: {value!r}")
    return problems
