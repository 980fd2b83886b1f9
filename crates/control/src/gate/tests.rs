//! Tables: each fault of a token, each way a knock goes.
