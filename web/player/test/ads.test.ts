import { describe, expect, it } from 'vitest';
import { chooseFile, fillMacros, parseVast, readOffset, unwrap } from '../ads/vast';
import { dueS, parseBreaks } from '../ads/vmap';

const xml = (text: string) => new DOMParser().parseFromString(text, 'text/xml').documentElement;

const LINEAR = `<Linear skipoffset="00:00:05"><Duration>00:00:10</Duration>
  <TrackingEvents>
    <Tracking event="start">https://t.example/start</Tracking>
    <Tracking event="start">https://t.example/start2</Tracking>
    <Tracking event="complete">javascript:alert(1)</Tracking>
  </TrackingEvents>
  <VideoClicks><ClickThrough>https://shop.example/?a=1&amp;b=2</ClickThrough></VideoClicks>
  <MediaFiles>
    <MediaFile delivery="progressive" type="video/mp4" width="640" height="360">https://m.example/a.mp4</MediaFile>
    <MediaFile delivery="progressive" type="video/mp4" width="1280" height="720">https://m.example/b.mp4</MediaFile>
    <MediaFile delivery="progressive" type="application/javascript" apiFramework="VPAID">https://m.example/v.js</MediaFile>
    <MediaFile delivery="streaming" type="video/mp4">https://m.example/s.mp4</MediaFile>
  </MediaFiles></Linear>`;
const INLINE = `<VAST version="3.0"><Ad id="1"><InLine><AdSystem>x</AdSystem>
  <Impression>https://t.example/impression</Impression><Error>https://t.example/e?[ERRORCODE]</Error>
  <Creatives><Creative>${LINEAR}</Creative></Creatives></InLine></Ad></VAST>`;

describe('a VAST document', () => {
  it('gives its linear advertisement, without programs and what is no web address', () => {
    const ad = parseVast(xml(INLINE))!;
    expect(ad.files.map(({ url }) => url)).toEqual([
      'https://m.example/a.mp4',
      'https://m.example/b.mp4',
    ]);
    expect(ad.skip).toEqual({ seconds: 5 });
    expect(ad.clickThrough).toBe('https://shop.example/?a=1&b=2');
    expect(ad.impressions).toEqual(['https://t.example/impression']);
    expect(ad.tracking.get('start')).toEqual(['https://t.example/start', 'https://t.example/start2']);
    expect(ad.tracking.has('complete')).toBe(false);
  });

  it('may have none', () => {
    expect(parseVast(xml('<VAST version="4.0"/>'))).toBeNull();
    const other = INLINE.replaceAll('Linear>', 'NonLinearAds>').replace('<Linear ', '<NonLinearAds ');
    expect(parseVast(xml(other))).toBeNull();
  });

  it('may wrap another, and both are told', () => {
    const wrapper = parseVast(
      xml(`<VAST version="3.0"><Ad><Wrapper><VASTAdTagURI>https://a.example/2</VASTAdTagURI>
        <Impression>https://w.example/i</Impression><Creatives><Creative><Linear>
        <TrackingEvents><Tracking event="start">https://w.example/start</Tracking></TrackingEvents>
        </Linear></Creative></Creatives></Wrapper></Ad></VAST>`),
    )!;
    expect(wrapper.wrapped).toBe('https://a.example/2');
    const ad = unwrap([wrapper], parseVast(xml(INLINE))!);
    expect(ad.impressions).toEqual(['https://w.example/i', 'https://t.example/impression']);
    expect(ad.tracking.get('start')).toHaveLength(3);
    expect(ad.files).toHaveLength(2);
  });

  it('offers the file that fits the frame', () => {
    const { files } = parseVast(xml(INLINE))!;
    expect(chooseFile(files, 500, () => true)?.widthPx).toBe(640);
    expect(chooseFile(files, 700, () => true)?.widthPx).toBe(1280);
    expect(chooseFile(files, 4000, () => true)?.widthPx).toBe(1280);
    expect(chooseFile(files, 500, () => false)).toBeUndefined();
  });
});

/** A document as each version of the specification has it: what came later is around the rest. */
function ofVersion(version: string): string {
  const document = INLINE.replace('version="3.0"', `version="${version}"`);
  if (version.startsWith('2')) return document.replace(' skipoffset="00:00:05"', '');
  if (version.startsWith('3')) return document;
  return document
    .replace('<VAST ', '<VAST xmlns="http://www.iab.com/VAST" ')
    .replace('<Ad id="1">', '<Ad id="1" adType="video" conditionalAd="false">')
    .replace('</AdSystem>', '</AdSystem><AdTitle>x</AdTitle><AdServingId>a-2f3</AdServingId>')
    .replace('<Creatives>', '<ViewableImpression><Viewable>https://t.example/v</Viewable></ViewableImpression><Creatives>')
    .replace('<Linear ', '<UniversalAdId idRegistry="x">8465</UniversalAdId><Linear ')
    .replace(
      '<MediaFiles>',
      `<MediaFiles><ClosedCaptionFiles><ClosedCaptionFile type="text/vtt">https://m.example/c.vtt
       </ClosedCaptionFile></ClosedCaptionFiles>
       <Mezzanine delivery="progressive" type="video/mp4" width="3840" height="2160">https://m.example/m.mp4</Mezzanine>
       <InteractiveCreativeFile type="text/html" apiFramework="SIMID">https://m.example/i.html</InteractiveCreativeFile>`,
    );
}

describe.each(['2.0', '2.0.1', '3.0', '4.0', '4.1', '4.2', '4.3'])('VAST %s', (version) => {
  it('is read', () => {
    const text = ofVersion(version);
    expect(xml(text).getAttribute('version')).toBe(version);
    const ad = parseVast(xml(text))!;
    expect(ad.files.map(({ url }) => url)).toEqual([
      'https://m.example/a.mp4',
      'https://m.example/b.mp4',
    ]);
    expect(ad.skip).toEqual(version.startsWith('2') ? null : { seconds: 5 });
    expect(ad.impressions).toEqual(['https://t.example/impression']);
    expect(ad.tracking.get('start')).toHaveLength(2);
    expect(ad.errors).toEqual(['https://t.example/e?[ERRORCODE]']);
  });
});

it.each([
  ['00:00:05', { seconds: 5 }],
  ['01:02:03.500', { seconds: 3723.5 }],
  ['25%', { share: 0.25 }],
  ['5', null],
  ['', null],
])('reads the offset %s', (text, offset) => {
  expect(readOffset(text)).toEqual(offset);
});

it('fills macros in, and leaves those that it does not know', () => {
  expect(fillMacros('https://t/?c=[ERRORCODE]&x=[X]&t=[TIMESTAMP]', { ERRORCODE: '303', TIMESTAMP: 'a b' }))
    .toBe('https://t/?c=303&x=[X]&t=a%20b');
});

describe('a VMAP document', () => {
  const breaks = parseBreaks(
    xml(`<vmap:VMAP xmlns:vmap="http://www.iab.net/videosuite/vmap" version="1.0">
      <vmap:AdBreak timeOffset="start" breakType="linear"><vmap:AdSource>
        <vmap:VASTAdData>${INLINE}</vmap:VASTAdData></vmap:AdSource></vmap:AdBreak>
      <vmap:AdBreak timeOffset="00:00:10.000" breakType="linear,nonlinear"><vmap:AdSource>
        <vmap:AdTagURI templateType="vast3">https://a.example/mid</vmap:AdTagURI></vmap:AdSource></vmap:AdBreak>
      <vmap:AdBreak timeOffset="50%" breakType="nonlinear"><vmap:AdSource>
        <vmap:AdTagURI>https://a.example/overlay</vmap:AdTagURI></vmap:AdSource></vmap:AdBreak>
      <vmap:AdBreak timeOffset="75%" breakType="linear"><vmap:AdSource>
        <vmap:AdTagURI>https://a.example/late</vmap:AdTagURI></vmap:AdSource></vmap:AdBreak>
      <vmap:AdBreak timeOffset="end" breakType="linear"><vmap:AdSource>
        <vmap:AdTagURI>https://a.example/end</vmap:AdTagURI></vmap:AdSource></vmap:AdBreak>
    </vmap:VMAP>`),
  );

  it('gives its linear breaks and when they are due', () => {
    expect(breaks.map((each) => dueS(each, 100))).toEqual([0, 10, 75, Infinity]);
    expect(breaks.map(({ source }) => typeof source)).toEqual(['object', 'string', 'string', 'string']);
    expect(parseVast(breaks[0]!.source as Element)?.files).toHaveLength(2);
  });

  it('may be a VAST document: that comes first', () => {
    expect(parseBreaks(xml(INLINE)).map(({ at }) => at)).toEqual(['start']);
  });
});
