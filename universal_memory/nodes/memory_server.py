"""
`memory_server` (lifecycle): answers questions from memory files.

    query ──> one job at a time: route → load → render → attach → generate → detach ──> answer
    memory_compiled ──> index

Files are shared with the compiler through the store on disk; `memory_compiled` only says that there
is one more. The fresh window, events that are in no file yet, is read from the compiler's rolling
buffer, read-only, at each query: there is one truth about what is compiled, and a restarted server
knows it at once. (Listening to `experience` instead would keep a second, forgetful copy.)
"""

from __future__ import annotations


