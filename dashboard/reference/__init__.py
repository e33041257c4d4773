"""The API's reference: the OpenAPI document as pages."""
