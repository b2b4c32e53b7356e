// The protocols that this page speaks, by the names that the server has for them.

const DIALECTS = { conversation, case: crisis, desk, ticket, flow };
