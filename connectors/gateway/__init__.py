"""The gateway: one application for all channels, its pages and its OpenAPI description."""
