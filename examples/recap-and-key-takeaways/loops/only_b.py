def train(x, y, w, b, epochs, lr):
    for _ in range(epochs):
        prediction = w * x + b
        error = prediction - y
        w_grad = 2 * (error * x).mean()
        b_grad = 2 * error.mean()
        b = b - lr * b_grad
    return w, b
