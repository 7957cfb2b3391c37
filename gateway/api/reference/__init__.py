"""The API's reference: its OpenAPI document, the page that shows it, and a guide in plain text.

What it says is data beside the code it describes: limits, words and errors are read from there,
and the tests hold answers of the running product against it. Nothing here runs for other requests.
"""
