"""What is served over HTTP: the device API, the operators' API and the back office."""
