/**
 * One of libp2p's objects with a few of its members replaced, for the services whose manners need mending (`gentle-autonat.ts`,
 * `gentle-dcutr.ts`). The rest is the object's own: its methods are bound to it, because they look at private fields.
 */
export function withOwn<Target extends object>(target: Target, own: Partial<Target>): Target {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
