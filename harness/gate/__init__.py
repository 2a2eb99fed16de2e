"""Comparison + Policy (+ reference) → Verdict. A failed gate is a verdict, never an exception."""
