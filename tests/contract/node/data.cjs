// Numbers about viewers, read with `@api.video/nodejs-client`:
// `node data.cjs PACKAGE_FOLDER BASE_URL API_KEY VIDEO_ID STREAM_ID`.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');

const [folder, baseUri, apiKey, videoId, liveStreamId] = process.argv.slice(2);
const exported = require(path.join(folder, 'node_modules', '@api.video', 'nodejs-client'));
const { analytics } = new (exported.default ?? exported)({ apiKey, baseUri });

async function main() {
  const filterBy = { mediaId: [videoId], mediaType: 'video' };
  const number = (metric, aggregation, more = {}) =>
    analytics.getAggregatedMetrics({ metric, aggregation, ...more });
  const expected = [
    ['play', 'count', 3],
    ['play', 'total', 3],
    ['play', 'rate', 1],
    ['end', 'count', 3],
    ['impression', 'count', 3],
  ];
  for (const [metric, aggregation, wanted] of expected) {
    assert.equal((await number(metric, aggregation)).data, wanted, `${metric} ${aggregation}`);
  }
  const from = new Date(Date.now() - 50 * 60 * 1000);
  const found = await number('play', 'count', { from, to: new Date(), filterBy });
  assert.equal(found.data, 1);
  assert.equal(found.context.metric, 'play');
  for (const aggregation of ['peak', 'live']) {
    const { data } = await number('ccv', aggregation, { unique: true });
    assert.equal(typeof data, 'number');
  }
  const plays = await analytics.getMetricsBreakdown({ metric: 'play', breakdown: 'media-id' });
  const ids = plays.data.map(({ dimensionValue }) => dimensionValue).sort();
  assert.deepEqual(ids, [videoId, liveStreamId].sort());
  const referrers = await analytics.getMetricsBreakdown({
    metric: 'impression',
    breakdown: 'referrer',
    filterBy: { ...filterBy, referrer: ['https://shop.example/page'] },
  });
  const [{ dimensionValue, metricValue }] = referrers.data;
  assert.deepEqual([dimensionValue, metricValue], ['https://shop.example/page', 1]);
  const series = await analytics.getMetricsOverTime({ metric: 'start', from, interval: 'minute' });
  assert.equal(series.data.reduce((sum, { metricValue }) => sum + metricValue, 0), 3);
  await assert.rejects(analytics.getMetricsOverTime({ metric: 'start', interval: 'minute' }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
