-- Chunked: every request of wrk carries eight chunks of 1 KiB, and asks for as many.
local chunk = "400\r\n" .. string.rep("x", 1024) .. "\r\n"
local message

function init()
  message = "POST /chunked HTTP/1.1\r\nHost: bench.local\r\nTransfer-Encoding: chunked\r\n\r\n"
    .. string.rep(chunk, 8) .. "0\r\n\r\n"
end

function request()
  return message
end
