"""Lets Keras open models whose activations or layers are expressions written in an antler config.

    import antler_keras, keras
    model = keras.saving.load_model("epoch-0003.keras")

The text is parsed, never executed as Python: only the operators and functions below are known.
"""
import ast
import math

import keras
from keras import activations, ops

_BINARY = {ast.Add: ops.add, ast.Sub: ops.subtract, ast.Mult: ops.multiply, ast.Div: ops.divide, ast.Pow: ops.power}
_COMPARE = {ast.Lt: ops.less, ast.LtE: ops.less_equal, ast.Gt: ops.greater, ast.GtE: ops.greater_equal, ast.Eq: ops.equal, ast.NotEq: ops.not_equal}
_CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
_FUNCTIONS = {name: getattr(ops, name) for name in ("minimum", "maximum", "abs", "sign", "sqrt", "rsqrt", "square", "exp", "expm1", "log", "log1p", "log2", "log10", "sin",
                                                    "cos", "tan", "sinh", "cosh", "tanh", "sigmoid", "erf", "floor", "ceil", "round")}
_FUNCTIONS |= {name: getattr(activations, name) for name in ("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "hard_sigmoid", "log_sigmoid", "hard_tanh", "tanh_shrink",
                                                             "silu", "hard_silu", "mish", "softplus", "softsign", "squareplus", "sparse_plus", "sparse_sigmoid",
                                                             "soft_shrink", "hard_shrink", "threshold", "exponential", "linear")}
_FUNCTIONS |= {"swish": activations.silu, "hard_swish": activations.hard_silu, "pow": ops.power, "min": ops.minimum, "max": ops.maximum, "clip": ops.clip,
               "is_finite": lambda x: _number(ops.isfinite(x))}


def _number(truth):
    return ops.cast(truth, "float32")


def _where(condition, a, b):
    return ops.where(ops.not_equal(condition, 0), a, b)


def _evaluate(node, names):
    value = lambda n: _evaluate(n, names)
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return ops.negative(value(x))
        case ast.UnaryOp(op=ast.Not(), operand=x):
            return _number(ops.equal(value(x), 0))
        case ast.BinOp(left=a, op=op, right=b) if type(op) in _BINARY:
            return _BINARY[type(op)](value(a), value(b))
        case ast.Compare(left=a, ops=[op], comparators=[b]) if type(op) in _COMPARE:
            return _number(_COMPARE[type(op)](value(a), value(b)))
        case ast.BoolOp(op=op, values=parts):
            truths = [ops.not_equal(value(p), 0) for p in parts]
            join = ops.logical_and if isinstance(op, ast.And) else ops.logical_or
            result = truths[0]
            for truth in truths[1:]:
                result = join(result, truth)
            return _number(result)
        case ast.IfExp(test=c, body=a, orelse=b):
            return _where(value(c), value(a), value(b))
        case ast.Call(func=ast.Name(id="where"), args=[c, a, b]):
            return _where(value(c), value(a), value(b))
        case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*map(value, args))
    raise ValueError(f"'{ast.unparse(node)}' is nothing that an expression may contain")


@keras.saving.register_keras_serializable("antler", "Expression")
class Expression(keras.layers.Layer):
    """expression over x, x2, ... (the inputs) and the names of its weights; without weights it serves as an activation."""

    def __init__(self, expression, weights=None, **kwargs):
        super().__init__(**kwargs)
        self.expression, self.weight_configs = expression, weights or {}
        self._tree = ast.parse(expression.strip(), mode="eval").body

    def build(self, input_shape):
        first = input_shape[0] if isinstance(input_shape[0], (tuple, list)) else input_shape
        self.values = {}
        for name, config in self.weight_configs.items():
            shape = config.get("shape", "last")
            shape = first[-1:] if shape == "last" else first[1:] if shape == "input" else shape
            self.values[name] = self.add_weight(name=name, shape=tuple(shape), initializer=config.get("initializer", "zeros"), trainable=config.get("trainable", True),
                                                regularizer=config.get("regularizer"), constraint=config.get("constraint"))
        self.built = True

    def call(self, inputs):
        inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        names = {"x" if i == 0 else f"x{i + 1}": value for i, value in enumerate(inputs)}
        return _evaluate(self._tree, names | self.values) if self.weight_configs else _evaluate(self._tree, names)

    def get_config(self):
        return super().get_config() | {"expression": self.expression} | ({"weights": self.weight_configs} if self.weight_configs else {})
