import torch
from torch import nn


def train(x, y, w, b, epochs, lr):
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, w)
    nn.init.constant_(model.bias, b)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(epochs):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()
    return model.weight, model.bias
