-- POSTs one search after another; see wrk.py. Arguments: a file with one JSON body a line, of which
-- "@" becomes a number that no other request of the run has ("" keeps all requests alike), and
-- the number of this run.

local threads = {}

function setup(thread)
  thread:set("place", #threads)
  table.insert(threads, thread)
end

function init(arguments)
  bodies, sent, answered, refused, failed = {}, 0, 0, 0, 0
  run = arguments[2]
  for line in io.lines(arguments[1]) do table.insert(bodies, line) end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  sent = sent + 1
  local body = bodies[(sent + 7919 * place) % #bodies + 1]
  local mark = run .. "-" .. place .. "-" .. sent
  return wrk.format(nil, nil, nil, (body:gsub("@", mark)))
end

function response(status)
  if status == 200 then answered = answered + 1
  elseif status == 429 then refused = refused + 1
  else failed = failed + 1 end
end

function done(summary, latency)
  local counts = {answered = 0, refused = 0, failed = 0}
  for _, thread in ipairs(threads) do
    for name, count in pairs(counts) do counts[name] = count + thread:get(name) end
  end
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write
  io.write(string.format(
    '{"seconds": %f, "answered": %d, "refused": %d, "failed": %d, "lost": %d, "timeouts": %d, ' ..
    '"p50": %f, "p99": %f, "most": %f}\n',
    summary.duration / 1e6, counts.answered, counts.refused, counts.failed, lost,
    summary.errors.timeout, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    latency.max / 1e6))
end
