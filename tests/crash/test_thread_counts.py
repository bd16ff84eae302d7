"""The shipped examples give the same bytes with 1, 2 and 4 threads: history, weights and optimizer state. Their convolutions, batch
normalization and dropout are cut into slices that several threads share."""
import os

from runs import Home, check, done, weights

CONFIGS = os.path.join(os.environ["ANTLER_SOURCE"], "configs")


def test(home, example, policy="float32"):
    found = {}
    for threads in 1, 2, 4:
        run = home.json("train", os.path.join(CONFIGS, example + ".json"), "--threads", threads, "--set", "fit.epochs=2", "--set", f"dtype_policy={policy}")["run"]
        found[threads] = home.history(run), weights(home.last(run))
    check(len(found[1][0]["loss"]) == 2, f"{example}: two epochs have a loss each")
    for threads in 2, 4:
        check(found[threads][0] == found[1][0], f"{example}: the history with {threads} threads differs from that with 1")
        check(found[threads][1] == found[1][1], f"{example}: weights or optimizer state with {threads} threads differ from those with 1")


def test_the_exact_setting(home):
    """conv_algorithm reaches the device: other roundings, the same training."""
    found = {}
    for algorithm in "auto", "direct":
        run = home.json("train", os.path.join(CONFIGS, "digits-cnn.json"), "--set", "fit.epochs=1", "--set", f"conv_algorithm={algorithm}")["run"]
        found[algorithm] = home.history(run)["loss"], weights(home.last(run))
    check(found["auto"][1] != found["direct"][1], "direct convolutions give the weights of Winograd's")
    a, b = (float(found[k][0][-1][2]) for k in ("auto", "direct"))
    check(abs(a - b) < 1e-3 * abs(b), f"the loss is {a} with Winograd and {b} without")


if __name__ == "__main__":
    home = Home()
    try:
        for example in "digits-cnn", "digits-cnn-functional", "digits-mlp":
            test(home, example)
        for example in "digits-cnn", "digits-mlp", "digits-rnn":
            test(home, example, "mixed_bfloat16")
        test_the_exact_setting(home)
    finally:
        home.close()
    done()
