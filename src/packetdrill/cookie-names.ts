/**
 * Fast Open cookies that scripts have by name: whoever runs them defines what those are, for the usual ends under the usual key
 * and under a key of zeros. They are what a Linux host gives out, which is a hash of the ends under the key.
 */
import type { TcpOptionSpec, TcpSpec } from './ast.ts';

const COOKIES: Readonly<Record<string, { readonly 4: string; readonly 6: string }>> = {
  TFO_COOKIE: { 4: '3021b9d889017eeb', 6: 'c1d1e9742a47a9bc' },
  TFO_COOKIE_ZERO: { 4: 'b7c12350a90dc8f5', 6: '82af1a8f9a205c34' },
};

export function withCookies(spec: TcpSpec, version: 4 | 6): TcpSpec {
  if (spec.options === null) return spec;
  const named = (option: TcpOptionSpec): TcpOptionSpec => {
    if (option.kind !== 'FO' && option.kind !== 'FOEXP') return option;
    return { ...option, cookie: COOKIES[option.cookie]?.[version] ?? option.cookie };
  };
  return { ...spec, options: spec.options.map(named) };
}
