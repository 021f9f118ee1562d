import torch
from torch import nn


def train(x, y, w, b, epochs, lr):
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, w)
    nn.init.constant_(model.bias, b)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(epochs):
        loss = nn.functional.mse_loss(model(x), y.squeeze())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.weight, model.bias
