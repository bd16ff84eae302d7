"""Import before keras: real Keras on JAX with the least time spent in compiling, which is nearly all the time that small models cost.

XLA optimizes nothing, compiled programs are kept beside the Python of these tests (the next run, and the same tests under
another build, find them), and random starting weights come from numpy: no test here compares Keras' own random numbers.
"""
import os

cache = os.path.join(os.path.expanduser("~"), ".cache", "antler", "jax")
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", cache)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


class NumpyRandom:
    """What keras.initializers draw from; all else is keras.random's."""

    def __init__(self, original):
        self.original = original
        self.seed(3)

    def seed(self, seed):
        import numpy
        self.rng = numpy.random.default_rng(seed)

    def __getattr__(self, name):
        return getattr(self.original, name)

    def uniform(self, shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
        return self.rng.uniform(minval, maxval, shape).astype("float32")

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
        return self.rng.normal(mean, stddev, shape).astype("float32")

    def truncated_normal(self, shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
        return (mean + stddev * self.rng.normal(0, 1, shape).clip(-2, 2)).astype("float32")


def numpy_weights(seed=3):
    """After the import of keras. Called again it starts the numbers again."""
    from keras.src.initializers import random_initializers
    if not isinstance(random_initializers.random, NumpyRandom):
        random_initializers.random = NumpyRandom(random_initializers.random)
    random_initializers.random.seed(seed)
