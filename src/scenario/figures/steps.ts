/**
 * The numbers that Figures 3, 6, 7 and 9 give their signals, for an event of a ladder: who, to whom, what.
 *
 * The first rule that fits counts. `*` is anybody: a NIC, or the virtual adapter of a driver, the stack cannot tell.
 */
type Rule = readonly [from: string, to: string, text: RegExp, step: string];

const RULES: readonly Rule[] = [
  // Figure 3, offload: down, device, up (¶64–76). 310, 314 and 318 where layers send their state afterwards.
  ['tli', 'transport', /^initiate offload/, '330'],
  ['transport', 'network', /^initiate offload/, '332'],
  ['network', 'framing', /^initiate offload/, '334'],
  ['framing', '*', /^initiate offload/, '336'],
  ['framing', '*', /^load/, '310'],
  ['network', '*', /^load/, '314'],
  ['transport', '*', /^load/, '318'],
  ['framing', 'network', /^initiate complete/, '312'],
  ['network', 'transport', /^initiate complete/, '316'],
  ['transport', 'tli', /^initiate complete/, '320'],
  ['*', 'framing', /^initiate complete/, '308'],
  ['tli', '*', /^held calls/, '322'],
  // Figure 6, cached update (¶98–100): down to the miniport, and back to the layer that asked.
  ['framing', 'network', /^update.*complete/, '625'],
  ['network', 'transport', /^update.*complete/, '615'],
  ['ndis', 'framing', /^update.*complete/, '635'],
  ['*', 'framing', /^update.*complete/, '635'],
  ['*', 'ndis', /^update.*complete/, '645'],
  ['transport', 'network', /^update/, '610'],
  ['network', 'framing', /^update/, '620'],
  ['framing', 'ndis', /^update/, '630'],
  ['ndis', '*', /^update/, '640'],
  ['framing', '*', /^update/, '630, 640'],
  // Figure 7, upload (¶103–106).
  ['*', 'ndis', /^retrieve/, '702'],
  ['ndis', 'transport', /^retrieve/, '704'],
  ['transport', 'network', /^terminate offload/, '728'],
  ['network', 'framing', /^terminate offload/, '726'],
  ['framing', 'ndis', /^terminate offload/, '724'],
  ['ndis', '*', /^terminate offload/, '722'],
  ['*', 'tli', /complete.*UploadInProgress/, '732, 734'],
  ['framing', 'network', /^terminate complete/, '746'],
  ['network', 'transport', /^terminate complete/, '748'],
  ['transport', 'tli', /^terminate complete/, ''],
  ['*', 'framing', /^terminate complete/, '742, 744'],
  // Figure 9, failover (¶126–131), as the administrator's log has it.
  ['*', '', /^failover to/, '910'],
  ['*', '', /^upload-all/, '920'],
  ['*', '', /^offload-resume/, '930, 940'],
];

export function stepOf(from: string, to: string, text: string): string {
  const rule = RULES.find(
    ([source, target, pattern]) =>
      (source === '*' || source === from) && (target === '*' || target === to) && pattern.test(text),
  );
  return rule?.[3] ?? '';
}
