"""Tool name and arguments in, the tool's result out, through AgentCore Gateway's MCP endpoint.

Tools that we know are ours, with their own checks; whatever else the Gateway offers can be used as
it describes itself, under its full name.
"""

import logging
import re

DELIMITER = "___"
SEARCH_TOOL = "x_amz_bedrock_agentcore_search"

_LOG = logging.getLogger(__name__)
_OWN_TOOLS = "x_amz_bedrock_agentcore_"
_LISTING_SECONDS = 30.0
_MOST_PAGES = 200
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What a model may call a tool."""
_DESCRIPTION_CHARS = 2_000
_REASON_CHARS = 300
_UNFIT = "Input validation error"
_INVALID_PARAMETERS = -32602
