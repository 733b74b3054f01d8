"""The same work on many machines: a Ray cluster runs our loader and engine; nobody else has ray."""
