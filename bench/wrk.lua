-- What wrk sends, and how it reports.
--
-- Arguments: a file of whole HTTP requests with \1 between them, sent one after
-- another by whichever connection is free; and "count" to look at every answer's
-- status and headers, which costs time and is only for overload. The report is one
-- line of JSON, since what wrk prints for people rounds.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  requests = {}
  for request in text:gmatch("[^\1]+") do
    requests[#requests + 1] = request
  end
  sent = 0
  ok, unavailable, without_retry_after, other = 0, 0, 0, 0
  if args[2] == "count" then
    response = count
  end
end

function request()
  sent = sent + 1
  return requests[sent % #requests + 1]
end

function count(status, headers)
  if status == 200 then
    ok = ok + 1
  elseif status == 503 then
    unavailable = unavailable + 1
    local found = false
    for name in pairs(headers) do
      if name:lower() == "retry-after" then found = true end
    end
    if not found then without_retry_after = without_retry_after + 1 end
  else
    other = other + 1
  end
end

local function total(name)
  local sum = 0
  for _, thread in ipairs(threads) do
    sum = sum + thread:get(name)
  end
  return sum
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nwrk-report {"requests":%d,"durationUs":%d,"statusErrors":%d,"connectErrors":%d,' ..
      '"readErrors":%d,"writeErrors":%d,"timeouts":%d,"p50Us":%d,"p99Us":%d,"maxUs":%d,' ..
      '"ok":%d,"unavailable":%d,"withoutRetryAfter":%d,"other":%d}\n',
    summary.requests, summary.duration, errors.status, errors.connect,
    errors.read, errors.write, errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max,
    total("ok"), total("unavailable"), total("without_retry_after"), total("other")))
end
