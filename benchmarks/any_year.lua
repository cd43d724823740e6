-- A year that nobody asked for lately: no two requests under way are the same, so none can share another's answer.
local tickers = {"AAPL", "MSFT", "IBM"}

function init()
  math.randomseed(7)
end

function request()
  local year = math.random(2001, 2012)
  local path = string.format(
    "/api/v2/tickers/%s/ohlc?start_date=%d-%02d-%02d&end_date=%d-%02d-%02d",
    tickers[math.random(3)], year, math.random(12), math.random(28), year + 1, math.random(12), math.random(28)
  )
  return wrk.format("GET", path)
end
