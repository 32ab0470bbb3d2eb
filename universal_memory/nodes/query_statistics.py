"""How many questions were answered, from what, and how fast: for the server's status."""

from __future__ import annotations

import threading
from collections import Counter, deque

import numpy as np
from universal_memory_msgs.msg import MemoryStatus
from universal_memory_msgs.srv import QueryMemory

REMEMBERED_QUERIES = 100


class QueryStatistics:
    """Counts and the latencies of the last `REMEMBERED_QUERIES` queries. Thread-safe."""

    def __init__(self) -> None:
        """Start from zero."""
        self._lock = threading.Lock()
        self._answers: Counter[str] = Counter()
        self._rejected = self._failed = 0
        self._latencies: deque[tuple[float, float, float]] = deque(maxlen=REMEMBERED_QUERIES)

    def answered(self, response: QueryMemory.Response) -> None:
        """Count an answer."""
        with self._lock:
            self._answers[response.source] += 1
            render = response.load_ms + response.render_ms
            self._latencies.append((response.route_ms, render, response.generate_ms))

    def rejected(self) -> None:
        """Count a question that was not tried."""
        with self._lock:
            self._rejected += 1

    def failed(self) -> None:
        """Count a question whose answering raised an error."""
        with self._lock:
            self._failed += 1

    def fill(self, message: MemoryStatus) -> None:
        """Write the numbers into a status."""
        with self._lock:
            answers, latencies = Counter(self._answers), np.array(self._latencies)
            message.queries_rejected, message.queries_failed = self._rejected, self._failed
        kinds = QueryMemory.Response
        message.queries_total = answers.total()
        message.answers_compiled = answers[kinds.COMPILED] + answers[kinds.MIXED]
        message.answers_fresh = answers[kinds.FRESH]
        message.answers_base = answers[kinds.BASE]
        message.answers_unknown = answers[kinds.UNKNOWN]
        if len(latencies):
            stages = np.percentile(latencies, 50, axis=0).tolist()
            message.route_p50_ms, message.render_p50_ms, message.generate_p50_ms = stages
            total = np.percentile(latencies.sum(axis=1), [50, 95]).tolist()
            message.total_p50_ms, message.total_p95_ms = total
