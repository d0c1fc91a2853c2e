/**
 * Who may ask at all: the checks of Host and Origin against DNS rebinding, and CORS for the origins that were allowed by name.
 *
 * Loopback names pass with any port. A page of another origin reaches nothing unless its host is in `allowedOrigins`.
 */

import { hostHeaderValidation, originValidation } from '@modelcontextprotocol/hono';
import { localhostAllowedHostnames, localhostAllowedOrigins } from '@modelcontextprotocol/server';
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { refuse } from './json-rpc.ts';

/** The hostname in what a person may have written as an allowed host: a name, name and port, a URL, an IPv6 address. */
export function hostnameOf(text: string): string {
  const plain = text.trim().toLowerCase();
  // A browser extension's scheme as a whole, as the SDK's check reads it.
  if (plain.endsWith('://*')) return plain;
  const withBrackets = plain.includes('::') && !plain.includes('[') ? `[${plain}]` : plain;
  const url = withBrackets.includes('://') ? withBrackets : `http://${withBrackets}`;
  return URL.canParse(url) ? new URL(url).hostname : plain;
}

/** Refuses requests that name a host which is not ours, as a page does whose DNS name was pointed at this machine. */
export function hostGuard(allowedHosts: readonly string[]): MiddlewareHandler {
  const names = [...localhostAllowedHostnames(), ...allowedHosts.map(hostnameOf)];
  return explained(
    hostHeaderValidation(names),
    'Reach the node by a loopback name, or allow this one with --allowed-hosts.',
  );
}

/** Refuses requests that a web page of another origin sends. Requests without an Origin do not come from a page. */
export function originGuard(allowedOrigins: readonly string[]): MiddlewareHandler {
  const names = [...localhostAllowedOrigins(), ...allowedOrigins.map(hostnameOf)];
  return explained(originValidation(names), 'Allow the page’s host with --allowed-origins if you trust it.');
}

/** Lets pages of the origins that were allowed by name read the answers; loopback pages are not among them by default. */
export function corsForAllowed(allowedOrigins: readonly string[]): MiddlewareHandler {
  const names = new Set(allowedOrigins.map(hostnameOf));
  return cors({
    origin: (origin) => (names.has(hostnameOf(origin)) ? origin : null),
    allowMethods: ['GET', 'POST', 'DELETE'],
    allowHeaders: [
      'Accept',
      'Authorization',
      'Content-Type',
      'Last-Event-ID',
      'Mcp-Method',
      'Mcp-Name',
      'Mcp-Protocol-Version',
      'Mcp-Session-Id',
    ],
    exposeHeaders: ['Mcp-Session-Id', 'Mcp-Protocol-Version'],
    maxAge: 600,
  });
}

/** The SDK's refusals say what happened; this adds what to do. */
function explained(check: MiddlewareHandler, advice: string): MiddlewareHandler {
  return async (context, next) => {
    const refusal = await check(context, next);
    if (!(refusal instanceof Response)) return;
    const { error } = (await refusal.json()) as { error: { code: number; message: string } };
    return refuse({ status: refusal.status, code: error.code, message: `${error.message}. ${advice}` });
  };
}
