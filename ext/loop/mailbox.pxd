# cython: language_level=3
"""mailbox: messages from other threads, one eventfd as the doorbell.

Who may write
    head     any thread, by compare-and-swap; the owner takes all at once
A letter is memory of its sender's choosing and lies in at most one mailbox at
a time. Letters are read in the order of their arrival.
"""

from ext.loop.poller cimport watch

cdef struct letter:
    letter* next        # borrows: the letter that came before, while in the box
    void (*on_read)(letter* l, void* reader) noexcept nogil
    void* owner         # borrows: whoever embeds this letter

cdef struct mailbox:
    void* head          # shares: newest letter; written by compare-and-swap
    watch bell          # inline: fd is an eventfd, owned
    void* reader        # borrows: handed to on_read

cdef int mailbox_open(mailbox* m, void* reader) noexcept nogil
cdef void mailbox_close(mailbox* m) noexcept nogil
cdef void mailbox_post(mailbox* m, letter* l) noexcept nogil
cdef void mailbox_read(mailbox* m) noexcept nogil
