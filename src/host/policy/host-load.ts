/**
 * By host load (R34): offloads only while the host thread is busy. It begins above `onPercent` and ends below `offPercent`,
 * so that the relief that offloading brings does not end it at once. What is on a device stays there.
 */
import { REVIEW_US, type OffloadPolicy } from './offload-policy.ts';

export function hostLoad(onPercent: number, offPercent: number, batchUs: number): OffloadPolicy {
  let isOn = false;
  return {
    name: `host-load:${onPercent},${offPercent}`,
    batchUs,
    holdsData: false,
    reviewUs: REVIEW_US,
    review: (load, nowUs) => {
      const percent = load.percent(nowUs);
      isOn = isOn ? percent >= offPercent : percent > onPercent;
    },
    wants: () => isOn,
  };
}
