"""What the peers of ./dev bench models have in common: a process that has built and compiled one model and then measures on demand.

It is started as peer_<name>.py MODEL VARIANT THREADS FOLDER, prints one line of JSON when it is ready, and answers each line that it
reads ("train SECONDS", "evaluate BATCH SECONDS", "predict BATCH SECONDS") with one: milliseconds a step over at least so many seconds.
"""
import json, resource, sys, time

import numpy


def arguments():
    model, variant, threads, folder = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    return model, variant, threads, numpy.load(f"{folder}/x.npy"), numpy.load(f"{folder}/y.npy")


def repeat(seconds, function):
    """ms a step of function() -> (steps done), called until so many seconds have passed."""
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        steps += function()
    return 1e3 * (time.perf_counter() - start) / steps


def serve(**actions):
    """actions: name -> function(*numbers) -> ms a step."""
    out = sys.stdout
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        action, *numbers = line.split()
        ms = actions[action](*(float(n) for n in numbers))
        print(json.dumps({"ms": ms, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), file=out, flush=True)
