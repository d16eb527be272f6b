"""The first hour on a real board: what no laboratory shows, measured step by step and kept as one report.

A step (:mod:`kiosk.selftest.step`) says what it needs, what a person has to do first, what it measures and what it
expects. :mod:`kiosk.selftest.run` goes through them, keeps what is done on disk, and goes on after a reboot. The steps
stand by their subject: ``board``, ``cameras``, ``codes``, ``pins``, ``power``, ``days``; what they say in ``words``.
"""
