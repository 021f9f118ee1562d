def train(x, y, w, b, epochs, lr):
    for _ in range(epochs):
        prediction = w * x + b
        error = prediction - y
        w_grad = 2 * (error * x).mean()
        w = w - lr * w_grad
        b_grad = 2 * (w * x + b - y).mean()
        b = b - lr * b_grad
    return w, b
