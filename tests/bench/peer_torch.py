"""PyTorch as a peer: eager (its defaults), fused (fused optimizer), compile (torch.compile of model and loss, fused optimizer), graphs (the same, replayed
as CUDA graphs) and channels_last (as fused, pictures and weights channels last). PEER_DEVICE=cuda: on a GPU, in float32 without TF32."""
import os

import peer
import torch
import torch.nn.functional as F
from torch import nn


DEVICE = os.environ.get("PEER_DEVICE", "cpu")
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def finish():
    if DEVICE != "cpu":
        torch.cuda.synchronize()


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)) if stride == 2 else nn.Identity()

    def forward(self, x):
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))) + self.short(x))


class Last(nn.Module):
    """A recurrent layer's last output."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.dense = layer, nn.Linear(128, 10)

    def forward(self, x):
        return self.dense(self.layer(x)[0][:, -1])


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_a, self.norm_b = nn.LayerNorm(64), nn.LayerNorm(64)
        self.qkv, self.out, self.up, self.down = nn.Linear(64, 192), nn.Linear(64, 64), nn.Linear(64, 256), nn.Linear(256, 64)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm_a(x)).view(n, t, 3, 4, 16).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(n, t, d))
        return x + self.down(F.gelu(self.up(self.norm_b(x))))


def mlp(*units):
    layers = []
    for a, b in zip(units, units[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def build(model):
    if model == 5:
        return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(),
                             nn.Linear(128, 10))
    if model == 6:
        blocks = [Residual(a, b, s) for a, b, s in ((16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1))]
        return nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    if model == 9:
        return nn.Sequential(nn.Embedding(65, 64), Block(), Block(), nn.LayerNorm(64), nn.Linear(64, 65), nn.Flatten(0, 1))
    units = {1: (64, 32, 10), 2: (64, 128, 10), 3: (784, 512, 512, 10), 4: (784, 512, 512, 10), 10: (784, 2048, 2048, 10)}
    return Last(nn.LSTM(32, 128, batch_first=True) if model == 7 else nn.GRU(32, 128, batch_first=True)) if model in (7, 8) else mlp(*units[model])


def main():
    model, variant, threads, x, y = peer.arguments()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    import models
    size, net = models.batch(model), build(model)
    x, y, net = torch.from_numpy(x).to(DEVICE), torch.from_numpy(y).long().to(DEVICE), net.to(DEVICE)
    if model in (5, 6):
        x = x.permute(0, 3, 1, 2).contiguous()
    if variant == "channels_last":
        x, net = x.contiguous(memory_format=torch.channels_last), net.to(memory_format=torch.channels_last)
    fused = {} if variant == "eager" else {"fused": True}
    optimizer = (torch.optim.SGD(net.parameters(), 0.01, momentum=0.9 if model == 6 else 0, **fused) if model in (1, 6)
                 else torch.optim.Adam(net.parameters(), 0.001, eps=1e-7, **fused))

    def loss_of(a, b):
        return F.cross_entropy(net(a), b.reshape(-1))

    forward, loss = net, loss_of
    if variant in ("compile", "graphs"):
        mode = {"mode": "reduce-overhead"} if variant == "graphs" else {}
        forward, loss = torch.compile(net, **mode), torch.compile(loss_of, **mode)

    def epoch():
        net.train()
        order = torch.randperm(len(x), device=DEVICE)
        for i in range(0, len(x), size):
            chosen = order[i:i + size]
            optimizer.zero_grad(set_to_none=True)
            loss(x[chosen], y[chosen]).backward()
            optimizer.step()
        finish()
        return len(x) // size

    def evaluate(n, seconds):
        net.eval()
        n = int(n)
        starts = range(0, len(x) - n + 1, n)[:64]

        @torch.inference_mode()
        def some():
            total = 0.0
            for i in starts:
                total += loss(x[i:i + n], y[i:i + n])
            total.item()
            return len(starts)

        some()
        return peer.repeat(seconds, some)

    def predict(n, seconds):
        net.eval()
        batch = x[:int(n)]

        @torch.inference_mode()
        def once():
            forward(batch).cpu().numpy()
            return 1

        once()
        return peer.repeat(seconds, once)

    epoch()
    peer.serve(train=lambda seconds: peer.repeat(seconds, epoch), evaluate=evaluate, predict=predict)


main()
