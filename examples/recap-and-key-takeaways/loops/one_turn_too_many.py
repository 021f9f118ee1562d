def train(x, y, w, b, epochs, lr):
    for _ in range(epochs + 1):
        prediction = w * x + b
        error = prediction - y
        w_grad = 2 * (error * x).mean()
        b_grad = 2 * error.mean()
        w = w - lr * w_grad
        b = b - lr * b_grad
    return w, b
