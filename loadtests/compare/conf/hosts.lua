-- Hosts: every request of wrk is for the next one of 1,000 hosts.
local messages = {}
local at = 0

function init()
  for i = 0, 999 do
    messages[i + 1] = string.format("GET / HTTP/1.1\r\nHost: s%04d.bench.example\r\n\r\n", i)
  end
end

function request()
  at = at % #messages + 1
  return messages[at]
end
