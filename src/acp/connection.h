// The connection under the protocol: JSON-RPC 2.0, both sides asking, one object per line.
#pragma once

#include "net/json_rpc.h"
#include "net/rpc_question.h"

namespace gptoss::acp {

using Connection = net::RpcConnection;
using Handlers = net::RpcHandlers;
using Pace = net::RpcPace;
using Question = net::RpcQuestion;
using Reply = net::RpcReply;
using RpcError = net::RpcError;
using net::kAtOnce;
using net::kRpcInternalError;
using net::kRpcInvalidParams;
using net::kRpcInvalidRequest;
using net::kRpcMethodNotFound;

}  // namespace gptoss::acp
