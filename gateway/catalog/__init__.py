"""The public models, the upstream routes that serve them, their list prices and costs.

Pure data and arithmetic: nothing here touches the database or the network.
"""
