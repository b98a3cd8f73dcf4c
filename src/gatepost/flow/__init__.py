"""The journey of a message: the only place where the stages meet.

    receive -> route -> storage -> queue (lanes) -> deliver -> diagnose -> bounce

`journey` has one function per step, `returns` tells senders, `expiry` watches the clock, `rerouting` re-evaluates
queued mail when an object changes, `records` turns what a delivery saw into what is kept.
"""
