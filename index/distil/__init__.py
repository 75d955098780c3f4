"""From the text of a policy document to drafts of questions and answers (问答提炼): what it is called, what it says, who reviews it."""
