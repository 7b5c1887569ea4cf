"""The composition root: one module per program, and the only place where settings and environment are read.

Takes settings, leaves running programs. It holds no decision of its own; everything below is handed what it needs.
"""
